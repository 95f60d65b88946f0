import { useEffect, useState } from "preact/hooks";
import { Header } from "./header";
import type { Live } from "./live";
import { Notice } from "./notice";
import { PANELS } from "./panels";
import { Strip } from "./strip";

/** The whole page; drawn anew each time the server has answered. */
export function App({ live }: { live: Live }) {
  const [, draw] = useState(0);
  useEffect(() => live.subscribe(() => draw((times) => times + 1)), [live]);
  const shown = PANELS.filter(
    (panel) => !panel.sources.some((source) => live.isMissing(source)) && (live.hasEdge || !panel.edge),
  );
  return (
    <>
      <Header live={live} />
      <Notice trouble={live.trouble} />
      <main class={live.trouble ? "stale" : ""}>
        <Strip live={live} />
        <div class="panels">
          {shown.map(({ id, title, width, View }) => (
            <section key={id} id={id} class={`panel ${width}`} aria-labelledby={`${id}-title`}>
              <h2 id={`${id}-title`}>{title}</h2>
              <View live={live} />
            </section>
          ))}
        </div>
      </main>
    </>
  );
}

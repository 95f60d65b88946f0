import { ADVICE, type AdvicePage, CLIFFS, type Cliff, type Cliffs } from "../lens";
import type { Live } from "../live";
import { Said } from "../parts/said";
import { State } from "../parts/state";
import type { Panel } from ".";
import { Applied } from "./cliffs/applied";
import { Next } from "./cliffs/next";
import { All } from "./cliffs/all";
import { Evident } from "./cliffs/evident";
import { Nearest } from "./cliffs/nearest";
import { Unknowns } from "./cliffs/unknowns";

export const cliffs: Panel = { id: "cliffs", title: "Next cliff", width: "full", sources: [CLIFFS, ADVICE], plane: "lens", View };

function View({ live }: { live: Live }) {
  const found = live.latest<Cliffs>(CLIFFS);
  const advice = live.latest<AdvicePage>(ADVICE) ?? {};
  if (!found) return <p class="empty">Nothing is known yet.</p>;
  const all = found.cliffs ?? [];
  const nearest = all.find(({ id }) => id === found.nearest);
  return (
    <>
      <p class={`verdict level-${level(found, nearest)}`}>
        <State state={level(found, nearest)} />{" "}
        <strong>
          <Said text={found.summary || "nothing is known yet"} />
        </strong>
      </p>
      <div class="next">
        <div>
          {nearest && <Nearest cliff={nearest} load={found.load ?? undefined} />}
          {nearest && <Evident live={live} evidence={nearest.evidence ?? []} />}
          {!nearest && <Unknowns live={live} cliffs={all} open />}
        </div>
        <Next page={advice} said={found.summary} done={() => live.wake()} />
      </div>
      <All cliffs={all} load={found.load ?? undefined} />
      {nearest && <Unknowns live={live} cliffs={all} open={false} />}
      <Applied applied={advice.applied ?? []} />
    </>
  );
}

/** Of the whole: that of the nearest cliff; where none is in sight, whether that is known. Nothing is clear while answers are errors. */
function level(found: Cliffs, nearest: Cliff | undefined): string {
  const level = ofCliffs(found, nearest);
  return found.trouble && (level === "clear" || level === "unknown") ? "watch" : level;
}

function ofCliffs(found: Cliffs, nearest: Cliff | undefined): string {
  if (nearest) return nearest.level ?? "unknown";
  const known = found.load && !found.cliffs?.some((cliff) => (cliff.level ?? "unknown") === "unknown");
  return known ? "clear" : "unknown";
}

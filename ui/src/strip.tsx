import { NOTHING } from "./format";
import type { Live } from "./live";
import { Sparkline } from "./parts/sparkline";
import { type Signal, type SignalName, STRIP } from "./signals";

/** Seconds shown behind each number. */
const SPARK_POINTS = 60;

/** The vital numbers, each over its last minute. */
export function Strip({ live }: { live: Live }) {
  const all = Object.entries(STRIP) as [SignalName, Signal][];
  const tiles = all.filter(([, signal]) => live.hasEdge || signal.ofProcess);
  return (
    <dl class="strip" aria-label="Live">
      {tiles.map(([name, signal]) => {
        const value = live.history.latest(name);
        return (
          <div key={name} class={signal.bad && value ? "tile bad" : "tile"} title={signal.about} data-signal={name}>
            <dt>{signal.label}</dt>
            <dd>{value === undefined ? NOTHING : signal.show(value)}</dd>
            <Sparkline values={live.history.column(name).slice(-SPARK_POINTS)} points={SPARK_POINTS} />
          </div>
        );
      })}
    </dl>
  );
}

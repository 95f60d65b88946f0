import * as format from "../../format";
import type { Cliff, Load } from "../../lens";
import { Way } from "../../parts/way";

/** The nearest cliff as a way: in load where that is forecast, else in what is used of what there is. */
export function Nearest({ cliff, load }: { cliff: Cliff; load: Load | undefined }) {
  const { at, within, used, limit, unit, level = "unknown" } = cliff;
  if (at && load) {
    return (
      <Way
        label="Load"
        level={level}
        now={load.value}
        end={at.load}
        range={at}
        show={(value) => format.amount(value, load.unit)}
      />
    );
  }
  const time = within && (
    <p class="within">
      In {format.duration(within.value)}, or anywhere from {format.duration(within.low)} to {format.duration(within.high)}
      , whatever the load.
    </p>
  );
  if (typeof used !== "number" || typeof limit !== "number") return time ?? null;
  return (
    <>
      {time}
      <Way label="In use" level={level} now={used} end={limit} show={(value) => format.amount(value, unit)} />
    </>
  );
}

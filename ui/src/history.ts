import type { Live } from "./live";
import { SIGNALS, type SignalName } from "./signals";

/** Points kept: ten minutes, one a second. */
export const POINTS = 600;
/** A longer pause (a hidden tab, an absent server) is a gap in the lines, not a slope. */
const GAP_MS = 3_500;

const NAMES = Object.keys(SIGNALS) as SignalName[];

/** Every signal over the last ten minutes, in columns. `null` where nothing is known. */
export class History {
  /** Civil time of each point, in seconds. */
  readonly times: number[] = [];
  private readonly columns = new Map<SignalName, (number | null)[]>(NAMES.map((name) => [name, []]));
  private lastAt: number | undefined;

  /** Takes a point; `at` is monotonic and `now` civil time, both in milliseconds. */
  record(live: Live, at: number, now: number): void {
    const paused = this.lastAt !== undefined && at - this.lastAt > GAP_MS;
    this.lastAt = at;
    if (paused) this.append(now / 1_000 - 0.001, () => null);
    this.append(now / 1_000, (name) => (paused ? null : (SIGNALS[name].read(live) ?? null)));
  }

  /** All points of a signal. */
  column(name: SignalName): (number | null)[] {
    return this.columns.get(name) ?? [];
  }

  /** The newest point of a signal. */
  latest(name: SignalName): number | undefined {
    return this.column(name).at(-1) ?? undefined;
  }

  private append(time: number, value: (name: SignalName) => number | null): void {
    this.times.push(time);
    for (const [name, column] of this.columns) column.push(value(name));
    while (this.times.length > POINTS) {
      this.times.shift();
      for (const column of this.columns.values()) column.shift();
    }
  }
}

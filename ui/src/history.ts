import type { Live } from "./live";
import type { Past } from "./past";
import { SIGNALS, type SignalName } from "./signals";

/** Points kept: ten minutes, one a second. */
export const POINTS = 600;
/** A longer pause (a hidden tab, an absent server) is a gap in the lines, not a slope. */
const GAP_MS = 3_500;

/** Two points nearer to each other than this tell of the same second, in seconds. */
const SAME = 0.75;

interface Point {
  time: number;
  values: (number | null)[];
}

const NAMES = Object.keys(SIGNALS) as SignalName[];

/** Every signal over the last ten minutes, in columns. `null` where nothing is known. */
export class History {
  /** Civil time of each point, in seconds. */
  readonly times: number[] = [];
  private readonly columns = new Map<SignalName, (number | null)[]>(NAMES.map((name) => [name, []]));
  private lastAt: number | undefined;

  /** Whether nothing is known of the seconds before a point taken at this monotonic time. */
  lacks(at: number): boolean {
    return this.lastAt === undefined || at - this.lastAt > GAP_MS;
  }

  /** Puts in what others have kept wherever nothing was recorded here. `now` is civil time in milliseconds. */
  fill(past: Past, now: number): void {
    const kept = points(past, now);
    if (kept.length === 0) return;
    const near = (time: number) => kept.find((point) => Math.abs(point.time - time) < SAME);
    const own = this.times.map((time, at): Point => {
      const instead = near(time)?.values;
      return { time, values: NAMES.map((name, n) => this.column(name)[at] ?? instead?.[n] ?? null) };
    });
    const missing = kept.filter(({ time }) => !own.some((point) => Math.abs(point.time - time) < SAME));
    const known = [...missing, ...own.filter(isKnown)].sort((a, b) => a.time - b.time);
    const all = known.flatMap((point, at) => {
      const before = known[at - 1]?.time ?? point.time;
      return (point.time - before) * 1_000 > GAP_MS ? [gap(point.time - 0.001), point] : [point];
    }).slice(-POINTS);
    this.times.splice(0, this.times.length, ...all.map(({ time }) => time));
    for (const [n, name] of NAMES.entries()) this.columns.set(name, all.map(({ values }) => values[n] ?? null));
  }

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

const isKnown = ({ values }: Point): boolean => values.some((value) => value !== null);

const gap = (time: number): Point => ({ time, values: NAMES.map(() => null) });

/** The seconds of which anything is known. */
function points(past: Past, now: number): Point[] {
  const length = Math.max(0, ...[...past.values()].map((column) => column.length));
  const point = (_: unknown, at: number): Point => {
    const ago = length - at;
    return { time: now / 1_000 - ago, values: NAMES.map((name) => past.get(name)?.at(-ago) ?? null) };
  };
  return Array.from({ length }, point).filter(isKnown);
}

/** Between a number and its unit: they stay on one line. */
const SPACE = "\u202f";
/** Shown where nothing is known. */
export const NOTHING = "–";

/** The digits that matter: 0, 0.12, 3.4, 56, 7,890. */
function digits(value: number): string {
  const rounded = Math.abs(value) < 10 ? Number(value.toPrecision(2)) : Math.round(value);
  const fraction = Number.isInteger(value) || Math.abs(rounded) >= 10 ? 0 : Math.abs(rounded) < 1 ? 2 : 1;
  return rounded.toLocaleString("en", { minimumFractionDigits: fraction, maximumFractionDigits: fraction });
}

/** The largest unit of which there is at least one. */
function scaled(value: number, step: number, units: string[]): string {
  let power = 0;
  while (power < units.length - 1 && Math.abs(value) >= step) [value, power] = [value / step, power + 1];
  return digits(value) + SPACE + units[power];
}

export const count = (value: number): string => value.toLocaleString("en", { maximumFractionDigits: 0 });
export const perSecond = (value: number): string => digits(value) + "/s";
export const percent = (value: number): string => digits(value) + SPACE + "%";
export const bytes = (value: number): string => scaled(value, 1_024, ["B", "KiB", "MiB", "GiB", "TiB"]);
export const bytesPerSecond = (value: number): string => bytes(value) + "/s";
export const milliseconds = (value: number): string =>
  value < 1 ? scaled(value * 1_000, 1_000, ["µs"]) : scaled(value, 1_000, ["ms", "s"]);

/** A number in a unit of the API, such as `bytes`, `ratio`, `requests per second` or `connections`. */
export function amount(value: number, unit = ""): string {
  const what = thing(unit);
  const isNamed = what !== "" && !MEASURES[what] && what === unit;
  return isNamed ? `${digits(value)} ${what}` : short(value, unit);
}

/** The same without what is counted: for axes, where it is said elsewhere. */
export const short = (value: number, unit = ""): string =>
  (MEASURES[thing(unit)] ?? digits)(value) + (thing(unit) === unit ? "" : "/s");

/** Units that are written in a form of their own. */
const MEASURES: Record<string, (value: number) => string> = {
  bytes,
  ratio: (value) => percent(value * 100),
  seconds: (value) => (value === 0 ? "0" : milliseconds(value * 1_000)),
};

/** What is counted, or counted each second. */
const thing = (unit: string): string => unit.replace(/ ?per second$/, "");

/** The two largest units: `3 d 4 h`, `12 s`. */
export function duration(seconds: number): string {
  const units: [string, number][] = [["d", 86_400], ["h", 3_600], ["min", 60], ["s", 1]];
  const first = Math.max(0, units.findIndex(([, size]) => seconds >= size));
  let rest = Math.floor(seconds);
  const parts = (seconds < 1 ? units.slice(-1) : units.slice(first, first + 2)).map(([unit, size]) => {
    const whole = Math.floor(rest / size);
    rest -= whole * size;
    return whole + SPACE + unit;
  });
  return parts.filter((part, position) => position === 0 || !part.startsWith("0")).join(" ");
}

/** A value that may be missing. */
export const or = (value: number | null | undefined, show: (value: number) => string): string =>
  typeof value === "number" && Number.isFinite(value) ? show(value) : NOTHING;

/** `round_robin` as people write it. */
export const words = (name: string): string => name.replaceAll("_", " ");

/** Time of day in the reader's zone, 24 hours. */
export const timeOfDay = (time: Date): string => time.toLocaleTimeString("en-GB");

/** Seconds since an RFC 3339 time; `undefined` when it is none. */
export function secondsSince(time: string | null | undefined): number | undefined {
  const then = time ? Date.parse(time) : Number.NaN;
  return Number.isNaN(then) ? undefined : Math.max(0, (Date.now() - then) / 1_000);
}

import { useEffect, useState } from "preact/hooks";
import type uPlot from "uplot";
import { NOTHING, timeOfDay } from "../format";
import type { Live } from "../live";
import { SIGNALS, type SignalName } from "../signals";
import { type Brush, usePlot } from "./plot";

/** Narrowest and widest span of time shown: it grows with what is known. */
const SPAN_SECONDS = { least: 60, most: 600 };
const HEIGHT = 200;
/** Opacity of a filled layer, as the last two digits of a colour. */
const FILL = "40";

/** One line or layer of a chart. */
export interface Layer {
  signal: SignalName;
  /** Name of the CSS variable that holds its colour. */
  colour: string;
}

interface Props {
  live: Live;
  label: string;
  /** From the bottom to the top. */
  layers: Layer[];
  /** Whether each layer stands on the one before it. */
  stacked?: true;
}

/** Signals over the last ten minutes, as lines or stacked on each other. */
export function Chart({ live, label, layers, stacked }: Props) {
  /** The point under the pointer. */
  const [pointed, point] = useState<number>();

  const { place, plot } = usePlot(HEIGHT, (brush) => options(brush, live, layers, !!stacked, point), []);

  useEffect(() => plot.current?.setData(data(live, layers, !!stacked)));

  const spoken = layers.map(({ signal }) => `${SIGNALS[signal].label} ${shown(live, signal)}`).join(", ");
  return (
    <>
      <div ref={place} class="chart" role="img" aria-label={`${label}; now: ${spoken}`} />
      <Legend live={live} layers={layers} stacked={!!stacked} pointed={pointed} />
    </>
  );
}

/** The values under the pointer, else the newest. Layers of a stack that are zero throughout are left out. */
function Legend(props: { live: Live; layers: Layer[]; stacked: boolean; pointed: number | undefined }) {
  const { live, layers, stacked, pointed } = props;
  const time = pointed === undefined ? undefined : live.history.times[pointed];
  const present = layers.filter(
    ({ signal }, at) => !stacked || at === 0 || live.history.column(signal).some(Boolean),
  );
  return (
    <dl class="legend">
      {present.map(({ signal, colour }) => (
        <div key={signal}>
          <dt>
            <i style={{ background: `var(${colour})` }} />
            {SIGNALS[signal].label}
          </dt>
          <dd>{shown(live, signal, pointed)}</dd>
        </div>
      ))}
      <div class="quiet">{time === undefined ? "now" : timeOfDay(new Date(time * 1_000))}</div>
    </dl>
  );
}

const shown = (live: Live, signal: SignalName, at = -1): string => {
  const value = live.history.column(signal).at(at);
  return typeof value === "number" ? SIGNALS[signal].show(value) : NOTHING;
};

/** Layers are drawn from the top down, so that an empty one is hidden by the edge of the one below it. */
function data(live: Live, layers: Layer[], stacked: boolean): uPlot.AlignedData {
  const columns = layers.map(({ signal }) => live.history.column(signal));
  return [live.history.times, ...(stacked ? stack(columns) : columns).toReversed()];
}

/** Each column added to those before it; unknown where any of them is. */
function stack(columns: (number | null)[][]): (number | null)[][] {
  let below: (number | null)[] | undefined;
  return columns.map((column) => {
    const under = below;
    below = column.map((value, at) => {
      const base = under ? (under[at] ?? null) : 0;
      return value === null || base === null ? null : base + value;
    });
    return below;
  });
}

function options(
  { colour, axis }: Brush,
  live: Live,
  layers: Layer[],
  stacked: boolean,
  point: (at: number | undefined) => void,
): Omit<uPlot.Options, "width" | "height"> {
  const show = SIGNALS[layers[0]?.signal ?? "requests"].show;
  return {
    padding: [8, 26, 0, 0],
    cursor: { points: { show: !stacked }, drag: { x: false, y: false }, y: false },
    legend: { show: false },
    hooks: { setCursor: [(plot) => point(plot.cursor.idx ?? undefined)] },
    scales: {
      x: { range: () => span(live) },
      y: { range: (_, __, top) => [0, Math.max(1, (top ?? 0) * 1.08)] },
    },
    axes: [
      { ...axis(11), size: 28, space: 70, values: (_, ticks) => ticks.map(clock) },
      { ...axis(11), size: 62, space: 32, values: (_, ticks) => ticks.map((tick) => (tick === 0 ? "0" : show(tick))) },
    ],
    series: [
      {},
      ...layers.toReversed().map(({ colour: name }) => ({
        stroke: colour(name),
        width: 1.5,
        // A second on its own would be a line without length.
        points: stacked ? { show: false } : { show: true, size: 3, filter: (plot: uPlot, at: number) => lone(plot.data[at] ?? []) },
        ...(stacked ? { fill: colour(name) + FILL } : {}),
      })),
    ],
    bands: stacked ? layers.slice(1).map((_, at) => ({ series: [at + 1, at + 2] })) : [],
  };
}

/** Where a value is known and those beside it are not. */
const lone = (values: ArrayLike<number | null | undefined>): number[] => {
  const known = (at: number) => values[at] !== null && values[at] !== undefined;
  return Array.from(values, (_, at) => at).filter((at) => known(at) && !known(at - 1) && !known(at + 1));
};

function span(live: Live): [number, number] {
  const now = live.history.times.at(-1) ?? Date.now() / 1_000;
  const known = now - (live.history.times[0] ?? now);
  return [now - Math.min(Math.max(known, SPAN_SECONDS.least), SPAN_SECONDS.most), now];
}

/** Seconds are shown only where a tick does not stand on a minute. */
function clock(seconds: number): string {
  const time = new Date(seconds * 1_000);
  return time.getSeconds() === 0 ? timeOfDay(time).slice(0, 5) : timeOfDay(time);
}

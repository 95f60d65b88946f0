import { useEffect } from "preact/hooks";
import type uPlot from "uplot";
import type { Course } from "../lens";
import * as format from "../format";
import { type Brush, usePlot } from "./plot";

const HEIGHT = 84;

/** A small chart of one signal over the last minutes. What was not measured is a gap. */
export function CourseChart({ course, label }: { course: Course; label: string }) {
  const { unit, values = [], seconds = 1 } = course;

  const { place, plot } = usePlot(HEIGHT, (brush) => options(brush, unit), [unit]);

  useEffect(() => {
    // Times count back from now: the newest point is at nought.
    plot.current?.setData([values.map((_, at) => (at + 1 - values.length) * seconds), values]);
  }, [course]);

  const known = values.filter((value) => value !== null);
  const last = known.at(-1);
  const spoken = last === undefined ? "nothing was measured" : `now ${format.amount(last, unit)}, at most ${format.amount(Math.max(...known), unit)}`;
  return <div ref={place} class="course" role="img" aria-label={`${label}, last ten minutes; ${spoken}`} />;
}

function options({ colour, axis }: Brush, unit: string | undefined): Omit<uPlot.Options, "width" | "height"> {
  return {
    padding: [6, 14, 0, 0],
    cursor: { show: false },
    legend: { show: false },
    scales: {
      x: { time: false, range: [-600, 0] },
      y: { range: (_, __, top) => [0, (top || 1) * 1.08] },
    },
    axes: [
      { ...axis(10), size: 18, incrs: [300], values: (_, ticks) => ticks.map(ago) },
      { ...axis(10), size: 58, space: 24, values: (_, ticks) => ticks.map((tick) => (tick === 0 ? "0" : format.short(tick, unit))) },
    ],
    series: [{}, { stroke: colour("--accent"), fill: `${colour("--accent")}22`, width: 1.5, points: { show: false } }],
  };
}

const ago = (seconds: number): string => (seconds === 0 ? "now" : `${format.duration(-seconds)} ago`);

import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import type { Course } from "../lens";
import * as format from "../format";

const HEIGHT = 84;

/** A small chart of one signal over the last minutes. What was not measured is a gap. */
export function CourseChart({ course, label }: { course: Course; label: string }) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(null);
  const { unit, values = [], seconds = 1 } = course;

  useEffect(() => {
    const element = place.current;
    if (!element) return;
    // Canvas colours do not follow the style sheet: the chart is built anew when they change.
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const build = () => {
      const before = plot.current?.data ?? [[]];
      plot.current?.destroy();
      plot.current = new uPlot(options(element, unit), before, element);
    };
    const resized = new ResizeObserver(() => plot.current?.setSize(size(element)));
    build();
    dark.addEventListener("change", build);
    resized.observe(element);
    return () => {
      dark.removeEventListener("change", build);
      resized.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [unit]);

  useEffect(() => {
    // Times count back from now: the newest point is at nought.
    plot.current?.setData([values.map((_, at) => (at + 1 - values.length) * seconds), values]);
  }, [course]);

  const known = values.filter((value) => value !== null);
  const last = known.at(-1);
  const spoken = last === undefined ? "nothing was measured" : `now ${format.amount(last, unit)}, at most ${format.amount(Math.max(...known), unit)}`;
  return <div ref={place} class="course" role="img" aria-label={`${label}, last ten minutes; ${spoken}`} />;
}

const size = (element: HTMLElement) => ({ width: element.clientWidth, height: HEIGHT });

function options(element: HTMLElement, unit: string | undefined): uPlot.Options {
  const style = getComputedStyle(element);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const axis: uPlot.Axis = {
    stroke: colour("--quiet"),
    font: `10px ${style.fontFamily}`,
    grid: { stroke: colour("--line"), width: 1 },
    ticks: { show: false },
  };
  return {
    ...size(element),
    padding: [6, 14, 0, 0],
    cursor: { show: false },
    legend: { show: false },
    scales: {
      x: { time: false, range: [-600, 0] },
      y: { range: (_, __, top) => [0, (top || 1) * 1.08] },
    },
    axes: [
      { ...axis, size: 18, incrs: [300], values: (_, ticks) => ticks.map(ago) },
      { ...axis, size: 58, space: 24, values: (_, ticks) => ticks.map((tick) => (tick === 0 ? "0" : format.short(tick, unit))) },
    ],
    series: [{}, { stroke: colour("--accent"), fill: `${colour("--accent")}22`, width: 1.5, points: { show: false } }],
  };
}

const ago = (seconds: number): string => (seconds === 0 ? "now" : `${format.duration(-seconds)} ago`);

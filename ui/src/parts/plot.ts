import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";

/** What charts are drawn with, as the style sheet has it at the moment. */
export interface Brush {
  colour: (name: string) => string;
  /** Lines, ticks and text of both axes; `px` is the size of the text. */
  axis: (px: number) => uPlot.Axis;
}

/**
 * A canvas chart in an element, as wide as that. Its colours do not follow the style sheet by themselves: it is built anew
 * when they change, and when one of `changes` does.
 */
export function usePlot(height: number, options: (brush: Brush) => Omit<uPlot.Options, "width" | "height">, changes: unknown[]) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(null);

  useEffect(() => {
    const element = place.current;
    if (!element) return;
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const size = () => ({ width: element.clientWidth, height });
    const build = () => {
      const before = plot.current?.data ?? [[]];
      plot.current?.destroy();
      plot.current = new uPlot({ ...size(), ...options(brush(element)) }, before, element);
    };
    const resized = new ResizeObserver(() => plot.current?.setSize(size()));
    build();
    dark.addEventListener("change", build);
    resized.observe(element);
    return () => {
      dark.removeEventListener("change", build);
      resized.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, changes);

  return { place, plot };
}

function brush(element: HTMLElement): Brush {
  const style = getComputedStyle(element);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const axis = (px: number): uPlot.Axis => ({
    stroke: colour("--quiet"),
    font: `${px}px ${style.fontFamily}`,
    grid: { stroke: colour("--line"), width: 1 },
    ticks: { show: false },
  });
  return { colour, axis };
}

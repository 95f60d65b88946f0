import { words } from "../format";

/** A state as a word with a shape and a colour of its own: none of the three is needed to read it. */
const SHAPES: Record<string, string> = {
  healthy: "●",
  slow_start: "◐",
  draining: "◌",
  failing: "▲",
  unhealthy: "✕",
  ejected: "▲",
  unknown: "○",
  closed: "●",
  half_open: "◐",
  open: "✕",
  clear: "●",
  watch: "◐",
  near: "▲",
  over: "✕",
};
/** States that are not written as they are called. */
const WORDS: Record<string, string> = { half_open: "half-open" };

export function State({ state }: { state: string }) {
  return (
    <span class={`state state-${state}`}>
      <span aria-hidden="true">{SHAPES[state] ?? "○"}</span> {WORDS[state] ?? words(state)}
    </span>
  );
}

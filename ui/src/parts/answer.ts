import { useEffect, useState } from "preact/hooks";
import { read } from "../api";
import type { Live } from "../live";

/**
 * A page of the API that changes slowly: read with the round of the live pages when the last answer is older than
 * `every` milliseconds, so that a hidden tab reads nothing. What was known stays while it cannot be read.
 */
export function useAnswer<T>(live: Live, path: string, every: number): T | undefined {
  const [answer, setAnswer] = useState<{ path: string; value: T }>();
  useEffect(() => {
    let [due, gone] = [0, false];
    const ask = () => {
      const now = performance.now();
      if (now < due || live.trouble) return;
      due = now + every;
      read(path).then(
        (value) => gone || setAnswer({ path, value: value as T }),
        // The live pages notice an absent server, and say so.
        () => undefined,
      );
    };
    ask();
    const leave = live.subscribe(ask);
    return () => {
      gone = true;
      leave();
    };
  }, [live, path, every]);
  return answer?.path === path ? answer.value : undefined;
}

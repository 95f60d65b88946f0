import { timeOfDay } from "./format";
import type { Trouble } from "./live";

/** Says why the numbers stand still. The region is always there, so that screen readers hear it change. */
export function Notice({ trouble }: { trouble: Trouble | undefined }) {
  return (
    <div role="status" class="notice">
      {trouble?.kind === "away" && (
        <p>
          <strong>The server does not answer.</strong> These are the facts of {timeOfDay(trouble.since)}; trying
          again each second.
        </p>
      )}
      {trouble?.kind === "signed out" && (
        <p>
          <strong>Signed out.</strong> The console's token has changed: <a href="/">sign in again</a>.
        </p>
      )}
    </div>
  );
}

import { SIGNALS, type SignalsPage } from "../../lens";
import type { Live } from "../../live";
import { useAnswer } from "../../parts/answer";
import { Said } from "../../parts/said";

/** How often it is read: the answer lists every signal, and what cannot be measured seldom changes. */
const EVERY_MS = 15_000;

/** What cannot be measured here, and why. */
export function Unknowns({ live }: { live: Live }) {
  const unknown = useAnswer<SignalsPage>(live, SIGNALS, EVERY_MS)?.unknown ?? [];
  if (unknown.length === 0) return null;
  return (
    <details class="unknowns">
      <summary>What is not known here, and why: {unknown.length}</summary>
      <dl>
        {unknown.map(({ what, why }) => (
          <div key={what}>
            <dt>
              <span aria-hidden="true">○</span> <Said text={what} />
            </dt>
            <dd>
              <Said text={why} />
            </dd>
          </div>
        ))}
      </dl>
    </details>
  );
}

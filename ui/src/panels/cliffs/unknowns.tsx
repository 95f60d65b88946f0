import { type Cliff, nameOf, SIGNALS, type SignalsPage } from "../../lens";
import type { Live } from "../../live";
import { useAnswer } from "../../parts/answer";
import { Said } from "../../parts/said";

/** How often it is read: the answer lists every signal, and what cannot be measured seldom changes. */
const EVERY_MS = 15_000;

/** What cannot be told of which cliff, and what cannot be measured here; each with the reason. */
export function Unknowns({ live, cliffs, open }: { live: Live; cliffs: Cliff[]; open: boolean }) {
  const measured = useAnswer<SignalsPage>(live, SIGNALS, EVERY_MS)?.unknown ?? [];
  const untold = cliffs
    .filter(({ state }) => state === "cannot_tell")
    .map((cliff) => ({ what: nameOf(cliff), why: cliff.text }));
  const unknown = [...untold, ...measured];
  if (unknown.length === 0) return null;
  return (
    <details class="unknowns" open={open}>
      <summary>What is not known, and why: {unknown.length}</summary>
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

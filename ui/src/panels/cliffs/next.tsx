import { useState } from "preact/hooks";
import { command } from "../../api";
import * as format from "../../format";
import { ADVICE, type Advice, type AdvicePage, PRICES } from "../../lens";
import { Confirm } from "../../parts/confirm";
import { Copyable } from "../../parts/copyable";
import { Said } from "../../parts/said";

/** The one thing to do next, or that there is nothing; further advice, and what is not advised and why, below. */
export function Next({ page, said, done }: { page: AdvicePage; said: string | undefined; done: () => void }) {
  const open = (page.advice ?? []).filter(({ dismissed }) => !dismissed);
  const dismissed = (page.advice ?? []).filter(({ dismissed }) => dismissed);
  const [first, ...others] = open;
  const kept = page.kept ?? false;
  return (
    <section class="do" aria-labelledby="do-title">
      <h3 id="do-title">Do next</h3>
      {first ? (
        <One advice={first} said={said} kept={kept} done={done} />
      ) : (
        <p class="nothing">
          <Said text={page.summary || "nothing is known yet"} />.
        </p>
      )}
      {others.length > 0 && (
        <details>
          <summary>{counted(others.length, "more piece of advice", "more pieces of advice")}</summary>
          {others.map((advice) => (
            <One key={advice.id} advice={advice} kept={kept} done={done} />
          ))}
        </details>
      )}
      {dismissed.length > 0 && (
        <details>
          <summary>{counted(dismissed.length, "piece was dismissed", "pieces were dismissed")}</summary>
          <ul>
            {dismissed.map((advice) => (
              <Dismissed key={advice.id} advice={advice} done={done} />
            ))}
          </ul>
        </details>
      )}
      <Considered page={page} />
    </section>
  );
}

const counted = (number: number, one: string, many: string) => `${format.count(number)} ${number === 1 ? one : many}`;
const pathOf = ({ id }: Advice, what: string) => `${ADVICE}/${encodeURIComponent(id)}/${what}`;

/** Why it is advised is left out where it was just `said`. */
function One(props: { advice: Advice; said?: string | undefined; kept: boolean; done: () => void }) {
  const { advice, said, kept, done } = props;
  const [asked, ask] = useState(false);
  const { title, why, gain, price = {}, lines, elsewhere } = advice;
  return (
    <article data-advice={advice.id}>
      <h4>
        <Said text={title} />
      </h4>
      {why && why !== said && (
        <p>
          <Said text={why} />.
        </p>
      )}
      <dl>
        <div class="gain">
          <dt>Gain</dt>
          <dd>
            <Said text={gain?.text} />
          </dd>
        </div>
        {PRICES.map((kind) => (
          <div key={kind}>
            <dt>{kind.charAt(0).toUpperCase() + kind.slice(1)}</dt>
            <dd class={price[kind] === "none" ? "quiet" : ""}>{price[kind] ?? format.NOTHING}</dd>
          </div>
        ))}
      </dl>
      {lines && <Copyable text={lines} label={`Lines of the configuration: ${title ?? ""}`} />}
      {elsewhere && (
        <p>
          <Said text={elsewhere} />
        </p>
      )}
      <button type="button" onClick={() => ask(true)}>
        Dismiss …
      </button>
      {asked && <Dismiss advice={advice} kept={kept} done={done} close={() => ask(false)} />}
    </article>
  );
}

function Dismiss(props: { advice: Advice; kept: boolean; done: () => void; close: () => void }) {
  const { advice, kept, done, close } = props;
  const [reason, setReason] = useState("");
  const act = () => command(pathOf(advice, "dismiss"), { reason: reason.trim() }).then(done);
  return (
    <Confirm title="Dismiss this advice?" action="Dismiss" act={act} close={close}>
      <p>It goes to the end of the list, with your reason, until somebody restores it.</p>
      {!kept && (
        <p class="quiet">
          A restart forgets it: <code>snapshot = "lens.state"</code> in <code>[lens]</code> keeps it.
        </p>
      )}
      <label class="reason">
        Why is it not wanted?
        {/* Not only blanks. */}
        <input required pattern=".*\S.*" maxLength={300} value={reason} onInput={(event) => setReason(event.currentTarget.value)} />
      </label>
    </Confirm>
  );
}

function Dismissed({ advice, done }: { advice: Advice; done: () => void }) {
  const [failure, fail] = useState<string>();
  const restore = () =>
    command(pathOf(advice, "restore")).then(done, (error: unknown) =>
      fail(error instanceof Error ? error.message : String(error)),
    );
  return (
    <li data-advice={advice.id}>
      <Said text={advice.title} />: “{advice.dismissed?.reason}”{" "}
      <button type="button" aria-label={`Restore ${advice.title}`} onClick={restore}>
        Restore
      </button>
      {failure && (
        <p role="alert" class="failure">
          That did not work: {failure}
        </p>
      )}
    </li>
  );
}

/** What was looked at and is not advised: what cannot be told comes first, then where there is no need. */
function Considered({ page: { considered = [] } }: { page: AdvicePage }) {
  if (considered.length === 0) return null;
  const untold = considered.filter(({ verdict }) => verdict === "cannot_tell");
  const needless = considered.filter(({ verdict }) => verdict !== "cannot_tell");
  const row = ({ technique, why }: (typeof considered)[number]) => (
    <li key={technique}>
      <strong>{format.words(technique)}</strong>: <Said text={why} />
    </li>
  );
  return (
    <details>
      <summary>
        What else was considered: {untold.length} cannot be told, {needless.length} not needed
      </summary>
      {untold.length > 0 && <p class="quiet">Cannot be told yet</p>}
      <ul>{untold.map(row)}</ul>
      {needless.length > 0 && <p class="quiet">Not needed</p>}
      <ul>{needless.map(row)}</ul>
    </details>
  );
}

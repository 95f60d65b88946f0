import { type Breaker, type Concurrency, POOLS, type Pool, type Pools, PRIORITIES } from "../api";
import * as format from "../format";
import type { Live } from "../live";
import { State } from "../parts/state";
import { READ_MS } from "../signals";

/** What stands between a pool and more than it can bear: nothing is shown that is not configured. */
export function Guards({ pool, live }: { pool: Pool; live: Live }) {
  const breaker = pool.breakers?.pool;
  const gate = pool.concurrency;
  if (!breaker && !gate) return null;
  const refused = live
    .feed(POOLS)
    .rate<Pools>((pools) => refusals(pools.pools?.find(({ name }) => name === pool.name)?.concurrency), READ_MS);
  return (
    <dl class="guards">
      {breaker && (
        <div>
          <dt>Breaker</dt>
          <dd>
            <BreakerState breaker={breaker} />
          </dd>
        </div>
      )}
      {gate && (
        <>
          <div>
            <dt>In flight</dt>
            <dd>
              {format.or(gate.in_flight, format.count)} of {format.or(gate.limit, format.count)}
              {gate.overloaded && (
                <span class="alarm" title="The queue has been too long for a while: who has waited too long is turned away">
                  {" "}
                  <span aria-hidden="true">▲</span> overloaded
                </span>
              )}
            </dd>
          </div>
          <div>
            <dt>Waiting</dt>
            <dd>
              <Waiting waiting={gate.waiting ?? {}} />
            </dd>
          </div>
          <div>
            <dt title="Answered 503 at once, or after too long a wait: since the start, and per second now">Turned away</dt>
            <dd>
              {format.or(refusals(gate), format.count)}
              {!!refused && <span class="alarm"> {format.perSecond(refused)}</span>}
            </dd>
          </div>
        </>
      )}
    </dl>
  );
}

/** A breaker's state, and how often it opened. */
export function BreakerState({ breaker }: { breaker: Breaker }) {
  const opened = breaker.opened ?? 0;
  return (
    <>
      <State state={breaker.state ?? "unknown"} />
      {opened > 0 && <span class="quiet"> opened {opened === 1 ? "once" : `${format.count(opened)} times`}</span>}
    </>
  );
}

/** How many wait, and of which priorities: the highest is served first. */
function Waiting({ waiting }: { waiting: NonNullable<Concurrency["waiting"]> }) {
  const present = PRIORITIES.filter((priority) => waiting[priority]);
  const all = present.reduce((sum, priority) => sum + (waiting[priority] ?? 0), 0);
  return (
    <>
      {format.count(all)}
      {all > 0 && (
        <span class="quiet"> {present.map((priority) => `${format.count(waiting[priority] ?? 0)} ${priority}`).join(" · ")}</span>
      )}
    </>
  );
}

/** Who left by themselves were not turned away. */
function refusals(gate: Concurrency | null | undefined): number | undefined {
  if (!gate?.shed) return undefined;
  return Object.entries(gate.shed).reduce((sum, [reason, shed]) => (reason === "left" ? sum : sum + shed), 0);
}

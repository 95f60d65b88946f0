import { useState } from "preact/hooks";
import { command, POOLS, type Pool, type Pools, type Target } from "../api";
import * as format from "../format";
import type { Live } from "../live";
import { Confirm } from "../parts/confirm";
import { State } from "../parts/state";
import { type Column, Table } from "../parts/table";
import { READ_MS } from "../signals";
import type { Panel } from ".";
import { BreakerState, Guards } from "./guards";

/** States in which a target gets new requests. */
const SERVING = new Set(["healthy", "slow_start", "failing", "unknown"]);

interface Row {
  pool: Pool;
  target: Target;
}

const state = ({ target }: Row) => target.state ?? "unknown";
const isDrained = (row: Row) => state(row) === "draining";
const serving = (pool: Pool) => pool.targets?.filter((target) => SERVING.has(state({ pool, target }))) ?? [];

export const pools: Panel = { id: "pools", title: "Pools", width: "full", sources: [POOLS], edge: true, View };

function View({ live }: { live: Live }) {
  const [asked, ask] = useState<Row>();
  const known = live.latest<Pools>(POOLS)?.pools ?? [];
  const rate = (row: Row, read: (target: Target) => number | undefined) =>
    live.feed(POOLS).rate<Pools>((pools) => {
      const pool = pools.pools?.find(({ name }) => name === row.pool.name);
      const target = pool?.targets?.find(({ name }) => name === row.target.name);
      return target && read(target);
    }, READ_MS);

  const columns: Column<Row>[] = [
    { title: "Target", names: true, cell: ({ target }) => <TargetName target={target} /> },
    { title: "State", cell: (row) => <Health row={row} /> },
    { title: "Weight", numeric: true, cell: ({ target }) => format.or(target.weight, format.count) },
    { title: "In flight", numeric: true, cell: ({ target }) => format.or(target.in_flight, format.count) },
    { title: "Requests", numeric: true, about: "Per second", cell: (row) => format.or(rate(row, (t) => t.requests), format.perSecond) },
    { title: "Failures", numeric: true, about: "Since the start, and per second when there are any now", cell: (row) => <Failures total={row.target.failures} rate={rate(row, (t) => t.failures)} /> },
    { title: "Latency", numeric: true, cell: ({ target }) => format.or(target.latency_ms, format.milliseconds) },
    {
      title: "Command",
      cell: (row) => (
        <button type="button" aria-label={`${verb(row)} ${row.target.name}`} onClick={() => ask(row)}>
          {verb(row)}
        </button>
      ),
    },
  ];
  return (
    <>
      <Table
        label="Pools and their targets"
        columns={columns}
        groups={known.map((pool) => ({
          key: pool.name,
          heading: <Heading pool={pool} live={live} />,
          rows: (pool.targets ?? []).map((target) => ({ pool, target })),
        }))}
        rowKey={({ pool, target }) => `${pool.name} ${target.name}`}
        empty="No pool is configured: add [pools.app] with its targets to the configuration."
      />
      {asked && <Ask row={asked} done={() => live.wake()} close={() => ask(undefined)} />}
    </>
  );
}

const verb = (row: Row) => (isDrained(row) ? "Return" : "Drain");

function Heading({ pool, live }: { pool: Pool; live: Live }) {
  const [up, all] = [serving(pool).length, pool.targets?.length ?? 0];
  return (
    <>
      <strong>{pool.name}</strong>
      <span class={up === all ? "quiet" : up === 0 ? "alarm" : "warning"}>
        {up} of {all} serving
      </span>
      {pool.balance && <span class="quiet">{format.words(pool.balance)}</span>}
      {pool.panic && (
        <span class="alarm" title="So few targets are up that requests go to the others as well">
          panic: sending to all
        </span>
      )}
      <Guards pool={pool} live={live} />
    </>
  );
}

function TargetName({ target }: { target: Target }) {
  return (
    <>
      <code>{target.name}</code>
      {target.address && target.address !== target.name && <code class="detail">{target.address}</code>}
    </>
  );
}

function Health({ row }: { row: Row }) {
  const { id, reason, since, check, ejections } = row.target;
  const breakers = row.pool.breakers?.targets;
  const seconds = format.secondsSince(since);
  const failing = check?.failing?.length ? `failing: ${check.failing.join(", ")}` : undefined;
  const details = [
    state(row) === "healthy" ? !check && "no health check" : reason,
    check?.detail && `check: ${check.detail}`,
    failing,
    ejections ? `ejected ${ejections === 1 ? "once" : `${ejections} times`}` : undefined,
  ].filter(Boolean);
  return (
    <>
      <State state={state(row)} />
      {seconds !== undefined && <span class="quiet"> for {format.duration(seconds)}</span>}
      {details.length > 0 && <span class="detail">{details.join(" · ")}</span>}
      {breakers && (
        <span class="detail">
          breaker <BreakerState breaker={(id && breakers[id]) || { state: "closed" }} />
        </span>
      )}
    </>
  );
}

function Failures({ total, rate }: { total: number | undefined; rate: number | undefined }) {
  return (
    <>
      {format.or(total, format.count)}
      {!!rate && <span class="detail alarm">{format.perSecond(rate)}</span>}
    </>
  );
}

function Ask({ row, done, close }: { row: Row; done: () => void; close: () => void }) {
  const { pool, target } = row;
  const path = `${POOLS}/${encodeURIComponent(pool.name)}/targets/${encodeURIComponent(target.name)}`;
  const others = serving(pool).filter(({ name }) => name !== target.name).length;
  const under = target.in_flight ?? 0;
  const back = isDrained(row);
  const act = () => command(`${path}/${back ? "undrain" : "drain"}`).then(done);
  return (
    <Confirm title={`${verb(row)} ${target.name}?`} action={verb(row)} act={act} close={close}>
      {back ? (
        <p>
          It gets its share of the requests of pool <strong>{pool.name}</strong> again.
        </p>
      ) : (
        <p>
          It finishes the {under === 1 ? "request" : `${format.count(under)} requests`} under way and gets no new ones
          until you return it. {others === 1 ? "One other target" : `${others} other targets`} of pool{" "}
          <strong>{pool.name}</strong> {others === 1 ? "takes" : "take"} over.
        </p>
      )}
      {!back && others === 0 && (
        <p class="failure">This is the last target that serves: requests to this pool will fail.</p>
      )}
    </Confirm>
  );
}

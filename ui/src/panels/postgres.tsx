import { useState } from "preact/hooks";
import { command, POSTGRES, type PostgresPool, type PostgresPools } from "../api";
import * as format from "../format";
import type { Live } from "../live";
import { Confirm } from "../parts/confirm";
import { type Column, Table } from "../parts/table";
import { READ_MS } from "../signals";
import type { Panel } from ".";

export const postgres: Panel = { id: "postgres", title: "PostgreSQL pools", width: "full", sources: [POSTGRES], plane: "postgres", View };

const key = ({ database, user }: PostgresPool) => `${database} ${user}`;

function View({ live }: { live: Live }) {
  const [asked, ask] = useState<PostgresPool[]>();
  const known = live.latest<PostgresPools>(POSTGRES)?.pools ?? [];
  const databases = [...new Set(known.map(({ database }) => database))];
  const rate = (pool: PostgresPool, read: (pool: PostgresPool) => number | undefined) =>
    live.feed(POSTGRES).rate<PostgresPools>(({ pools }) => {
      const then = pools?.find((other) => key(other) === key(pool));
      return then && read(then);
    }, READ_MS);

  const columns: Column<PostgresPool>[] = [
    { title: "User", names: true, cell: ({ user, mode }) => <Name user={user} mode={mode} /> },
    { title: "Servers", numeric: true, about: "Connections to the database that are in use, of those there may be", cell: (pool) => <Servers pool={pool} /> },
    { title: "Clients", numeric: true, cell: ({ clients }) => format.or(clients, format.count) },
    { title: "Waiting", numeric: true, about: "Clients in the queue for a server connection, and how long the first has been", cell: (pool) => <Waiting pool={pool} /> },
    { title: "Wait", numeric: true, about: "99 % of the waits for a server connection were shorter, since the start", cell: ({ wait }) => format.or(wait?.p99_ms, format.milliseconds) },
    { title: "Use", numeric: true, about: "99 % of the times a client kept a server connection were shorter, since the start", cell: ({ use }) => format.or(use?.p99_ms, format.milliseconds) },
    { title: "Queries", numeric: true, about: "Per second", cell: (pool) => format.or(rate(pool, (p) => p.queries), format.perSecond) },
    { title: "Transactions", numeric: true, about: "Per second", cell: (pool) => format.or(rate(pool, (p) => p.transactions), format.perSecond) },
    { title: "Refused", numeric: true, about: "Queries that got an error in place of a server connection: since the start, and per second when there are any now", cell: (pool) => <Refused total={pool.refused} rate={rate(pool, (p) => p.refused)} /> },
    { title: "Pinned", numeric: true, about: "Times a client kept its server connection between transactions, and why", cell: ({ pins }) => <Pins pins={pins} /> },
  ];
  return (
    <>
      <Table
        label="Pools of PostgreSQL connections"
        columns={columns}
        groups={databases.map((database) => {
          const rows = known.filter((pool) => pool.database === database);
          return { key: database, heading: <Heading pools={rows} ask={() => ask(rows)} />, rows };
        })}
        rowKey={key}
        empty="No client has connected yet."
      />
      <Advice pools={known} />
      {asked && <Ask pools={asked} done={() => live.wake()} close={() => ask(undefined)} />}
    </>
  );
}

const isPaused = (pools: PostgresPool[]) => pools.some(({ paused }) => paused);
const verb = (pools: PostgresPool[]) => (isPaused(pools) ? "Resume" : "Pause");

function Heading({ pools, ask }: { pools: PostgresPool[]; ask: () => void }) {
  const database = pools[0]?.database;
  return (
    <>
      <strong>{database}</strong>
      {isPaused(pools) && <span class="warning">paused: clients wait</span>}
      {pools.some(({ failing }) => failing) && <span class="alarm">the server cannot be connected to</span>}
      <button type="button" aria-label={`${verb(pools)} ${database}`} onClick={ask}>
        {verb(pools)}
      </button>
    </>
  );
}

function Name({ user, mode }: { user: string; mode: string | undefined }) {
  return (
    <>
      <code>{user}</code>
      {mode && <span class="detail">{mode} mode</span>}
    </>
  );
}

function Servers({ pool: { servers, size } }: { pool: PostgresPool }) {
  const others = { idle: servers?.idle, connecting: servers?.connecting };
  const details = Object.entries(others).flatMap(([state, n]) => (n ? [`${format.count(n)} ${state}`] : []));
  return (
    <>
      {format.or(servers?.active, format.count)} of {format.or(size, format.count)}
      {details.length > 0 && <span class="detail">{details.join(" · ")}</span>}
    </>
  );
}

function Waiting({ pool: { waiting, longest_wait_ms } }: { pool: PostgresPool }) {
  if (!waiting) return <>{format.or(waiting, format.count)}</>;
  return (
    <>
      <span class="warning">{format.count(waiting)}</span>
      <span class="detail">for {format.or(longest_wait_ms, format.milliseconds)}</span>
    </>
  );
}

function Refused({ total, rate }: { total: number | undefined; rate: number | undefined }) {
  return (
    <>
      {format.or(total, format.count)}
      {!!rate && <span class="detail alarm">{format.perSecond(rate)}</span>}
    </>
  );
}

function Pins({ pins = {} }: { pins: PostgresPool["pins"] }) {
  const reasons = Object.entries(pins).filter(([, times]) => times > 0);
  return (
    <>
      {format.count(reasons.reduce((sum, [, times]) => sum + times, 0))}
      {reasons.map(([reason, times]) => (
        <span key={reason} class="detail">
          {format.count(times)} × {format.words(reason)}
        </span>
      ))}
    </>
  );
}

/** What size each pool should have, where enough was measured to tell; else what is missing. */
function Advice({ pools }: { pools: PostgresPool[] }) {
  const given = pools.flatMap((pool) => (pool.advice?.sentence ? [{ pool, sentence: pool.advice.sentence }] : []));
  if (given.length === 0) return null;
  return (
    <dl class="counts advice">
      {given.map(({ pool, sentence }) => (
        <div key={key(pool)}>
          <dt>
            {pool.user} in {pool.database}
          </dt>
          <dd>{sentence}</dd>
        </div>
      ))}
    </dl>
  );
}

function Ask({ pools, done, close }: { pools: PostgresPool[]; done: () => void; close: () => void }) {
  const database = pools[0]?.database ?? "";
  const paused = isPaused(pools);
  const act = () =>
    command(`${POSTGRES}/${encodeURIComponent(database)}/${paused ? "resume" : "pause"}`).then(done);
  const clients = pools.reduce((sum, pool) => sum + (pool.clients ?? 0), 0);
  return (
    <Confirm title={`${verb(pools)} ${database}?`} action={verb(pools)} act={act} close={close}>
      {paused ? (
        <p>Whoever waits is served again, in order.</p>
      ) : (
        <p>
          Transactions under way are finished. From then on no server connection is handed out: the{" "}
          {format.count(clients)} {clients === 1 ? "client stays connected and waits" : "clients stay connected and wait"} until you
          resume, or give up when they have waited too long.
        </p>
      )}
    </Confirm>
  );
}

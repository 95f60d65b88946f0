// What the console's API answers. Every field may be missing: a plane that is off says nothing, and an
// older page may meet a newer server.

export const STATUS = "/api/status";
export const POOLS = "/api/edge/pools";
export const ROUTES = "/api/edge/routes";
export const CACHE = "/api/cache";
export const POSTGRES = "/api/postgres/pools";
export const EVENTS = "/api/events?rows=200";

export interface Status {
  version?: string;
  commit?: string;
  pid?: number;
  uptime_seconds?: number;
  phase?: string;
  process?: { cpu_seconds?: number; resident_bytes?: number; open_files?: number };
  edge?: {
    requests?: number;
    in_flight?: number;
    connections?: { open?: number; accepted?: number };
    bytes?: { in?: number; out?: number };
    listeners?: { address?: string; protocol?: string; tls?: boolean }[];
    /** Over all routes and the last seconds. */
    latency?: Percentiles;
  };
  /** There while a pool is configured. */
  postgres?: object;
  /** There while the lens is on. */
  lens?: object;
}

/** What may be off: then the status does not tell of it, and its pages are not there. */
export type Plane = "postgres" | "lens";

export interface Percentiles {
  p50_ms?: number;
  p95_ms?: number;
  p99_ms?: number;
}

export interface Target {
  id?: string;
  name: string;
  address?: string;
  state?: string;
  reason?: string | null;
  since?: string | null;
  weight?: number;
  in_flight?: number;
  requests?: number;
  failures?: number;
  latency_ms?: number | null;
  ejections?: number;
  check?: { healthy?: boolean; detail?: string; failing?: string[] } | null;
}

/** A circuit breaker: `closed`, `open` or `half_open`, and how often it opened. */
export interface Breaker {
  state?: string;
  opened?: number;
}

/** Who is served first, and turned away last: the highest first. */
export const PRIORITIES = ["critical", "high", "normal", "low"] as const;
export type Priority = (typeof PRIORITIES)[number];

/** The limit on requests that are with the targets at once, and the waiting room in front of it. */
export interface Concurrency {
  limit?: number;
  in_flight?: number;
  waiting?: Partial<Record<Priority, number>>;
  /** Whether the queue has been too long for a while. */
  overloaded?: boolean;
  /** Requests that did not get their turn, by reason. */
  shed?: Record<string, number>;
}

export interface Pool {
  name: string;
  balance?: string;
  panic?: boolean;
  targets?: Target[];
  /** Null where there is none; those of targets by their `id`, from their first request on. */
  breakers?: { pool?: Breaker | null; targets?: Record<string, Breaker> | null };
  /** Null without a limit. */
  concurrency?: Concurrency | null;
}

export interface Pools {
  pools?: Pool[];
}

export const CLASSES = ["1xx", "2xx", "3xx", "4xx", "5xx"] as const;
export type StatusClass = (typeof CLASSES)[number];

export interface Route extends Percentiles {
  name: string;
  pool?: string | null;
  requests?: Partial<Record<StatusClass, number>>;
  in_flight?: number;
}

export interface Routes {
  routes?: Route[];
}

export interface CacheRoute {
  name: string;
  hits?: number;
  stale?: number;
  coalesced?: number;
  revalidated?: number;
  misses?: number;
  bypassed?: number;
  refreshed_early?: number;
  refreshed_stale?: number;
  hit_ratio?: number | null;
  served_bytes?: number;
}

/** What can be purged by. */
export type Selector = "tag" | "url" | "prefix" | "host" | "version" | "all";

export interface Cache {
  /** Whether any route caches. */
  enabled?: boolean;
  memory?: { bytes?: number; capacity?: number; objects?: number };
  hit_ratio?: number | null;
  fetches_in_flight?: number;
  /** How often was purged, by what. */
  purges?: Partial<Record<Selector, number>>;
  versions?: Record<string, number>;
  routes?: CacheRoute[];
}

/** The answer to a purge. */
export interface Purged {
  /** The numbers that versions have now. */
  versions?: Record<string, number>;
}

/** The connections of one user to one database. */
export interface PostgresPool {
  database: string;
  user: string;
  mode?: string;
  /** Server connections there may be. */
  size?: number;
  clients?: number;
  waiting?: number;
  longest_wait_ms?: number;
  servers?: { idle?: number; active?: number; connecting?: number };
  paused?: boolean;
  failing?: boolean;
  queries?: number;
  transactions?: number;
  wait?: Quantiles;
  use?: Quantiles;
  refused?: number;
  /** How often a client kept its server connection, by reason. */
  pins?: Record<string, number>;
  advice?: { sentence?: string } | null;
}

/** Null without observations. */
export interface Quantiles {
  p50_ms?: number | null;
  p99_ms?: number | null;
}

export interface PostgresPools {
  pools?: PostgresPool[];
}

export interface Happening {
  at?: string;
  level?: string;
  event?: string;
  message?: string;
}

export interface Happenings {
  events?: Happening[];
}

/** Longest wait for an answer. */
const DEADLINE_MS = 4_000;

/** The server answered, but not with what was asked for. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

async function call(path: string, init: RequestInit): Promise<unknown> {
  const response = await fetch(path, { ...init, signal: AbortSignal.timeout(DEADLINE_MS) });
  const body: unknown = await response.json().catch(() => null);
  if (response.ok) return body;
  const said = (body as { error?: unknown } | null)?.error;
  throw new Refused(response.status, typeof said === "string" ? said : `status ${response.status}`);
}

/** Reads a page of the API. */
export const read = (path: string): Promise<unknown> => call(path, {});

/** Gives a command. The header tells the server that no foreign page sent it. */
export const command = (path: string, what: object = {}): Promise<unknown> =>
  call(path, {
    method: "POST",
    headers: { "content-type": "application/json", "x-deepwater": "1" },
    body: JSON.stringify(what),
  });

// What the lens answers in each of its states, with the shapes of `/api/cliffs`, `/api/advice` and `/api/signals`.

const ago = (seconds) => new Date(Date.now() - seconds * 1_000).toISOString();

const evidence = (signal, label, value, unit, text) => ({ signal, label, value, unit, text });

const cliff = (kind, resource, level, state, rest) => ({
  id: `${kind}:${resource}`,
  kind,
  resource,
  level,
  since: ago(90),
  state,
  at: null,
  within: null,
  headroom: null,
  used: null,
  limit: null,
  unit: "connections",
  text: `${kind} ${resource}`,
  evidence: [],
  ...rest,
});

const POOL = cliff("connection_pool", "shop/web", "watch", "forecast", {
  at: { load: 410, low: 360, high: 470, confidence: 0.9 },
  headroom: 1.64,
  used: 2.5,
  limit: 4,
  text: "the pool of `shop` is exhausted at 410 req/s (360–470); you are at 250 req/s",
  evidence: [
    evidence("pool.busy", "shop/web", 2.5, "connections", "2.5 of 4 connections are in use"),
    evidence("pool.wait_p95", "shop/web", 0.0042, "seconds", "one client in twenty waits longer than 4.2 ms"),
  ],
});
const MEMORY = cliff("memory", "app", "clear", "forecast", {
  within: { value: 259_200, low: 200_000, high: 400_000, confidence: 0.9 },
  used: 1_800_000_000,
  limit: 4_000_000_000,
  unit: "bytes",
  text: "the memory of `app` is used up in 3 days (2.3–4.6)",
});
const CPU = cliff("cpu", "machine", "clear", "none_in_sight", {
  used: 0.4,
  limit: 2,
  unit: "cores",
  text: "not in sight that the cores of this machine are used up: load hardly decides about it",
  evidence: [evidence("cpu.busy", "", 0.4, "cores", "0.40 of 2.0 cores are at work")],
});
const LINK = cliff("network", "link", "unknown", "cannot_tell", {
  used: 369_844,
  unit: "bytes per second",
  text: "cannot tell yet when the network link is full: the interface does not say how fast the link is",
});
const PRESSING = {
  ...CPU,
  level: "over",
  state: "pressing",
  used: 1.99,
  text: "the cores of this machine are used up: 2.0 of 2.0 cores are at work; you are at 250 req/s",
};

const answer = (summary, nearest, cliffs, load = { value: 250, unit: "requests per second" }) => ({ load, nearest, summary, cliffs });

/** `/api/cliffs`, by what it shows. */
export const CLIFFS = {
  forecast: answer(POOL.text, POOL.id, [POOL, MEMORY, CPU, LINK]),
  pressing: answer(PRESSING.text, PRESSING.id, [PRESSING, POOL, MEMORY, LINK]),
  in_time: answer(`all is well: ${MEMORY.text}`, MEMORY.id, [MEMORY, CPU]),
  none: answer("no cliff is in sight", null, [CPU]),
  cannot_tell: answer("cannot tell yet: needs more time or more load", null, [CPU, LINK]),
  failing: {
    ...answer("100 % of answers are errors (5xx); where the next cliff is cannot be told", null, [CPU]),
    trouble: "100 % of answers are errors (5xx)",
  },
  nothing_served: answer("no load was measured yet, so nothing can be told", null, [], null),
};

export const ADVICE = () => ({
  id: "pool_size:shop/web",
  technique: "pool_size",
  title: "12 connections for `shop`",
  why: POOL.text,
  cliff: POOL.id,
  gain: { text: "the pool is exhausted at 1230 instead of 410 a second", from: 410, to: 1_230, unit: "per second" },
  price: {
    complexity: "none",
    staleness: "none",
    money: "memory of the database's server: some 5 to 10 MiB for each connection",
    operations: "the sum of all pools has to stay below max_connections",
  },
  lines: "[postgres.databases.shop]\npool_size = 12\n",
  elsewhere: null,
  evidence: POOL.evidence,
  dismissed: null,
});

export const REPLICAS = () => ({
  ...ADVICE(),
  id: "replicas:shop",
  technique: "replicas",
  title: "a replica for reads of `shop`",
  gain: { text: "the cores of the database do half the work", from: 0.8, to: 0.4, unit: "cores" },
  lines: null,
  elsewhere: "Deepwater does not send reads to replicas yet: send them there from the application",
});

export const CONSIDERED = [
  { technique: "concurrency_limit", verdict: "no_need", why: "every pool of targets has a limit already" },
  { technique: "partitioning", verdict: "cannot_tell", why: "no query has been seen yet" },
];

export const APPLIED = [
  { id: "concurrency_limit:app", title: "a limit for `app`", at: ago(200), before: 2.1, predicted: 0.12, measured: 0.131, unit: "seconds for 95 % of requests", text: "" },
  { id: "pool_size:jobs", title: "8 connections for `jobs`", at: ago(20), before: 90, predicted: 180, measured: null, unit: "per second", text: "" },
];

export const UNKNOWN = [
  { what: "what the server of shop does", why: "the server of database \"shop\" cannot be asked; fix: name a user in the database's `primary`" },
];

const UNITS = { "pool.wait_p95": "seconds", "traffic.latency_p50": "seconds", "traffic.latency_p95": "seconds", "traffic.latency_p99": "seconds" };

export const course = (name, label) => ({
  name,
  label,
  unit: UNITS[name] ?? (name.startsWith("traffic.") ? "requests per second" : "connections"),
  about: `About ${name}.`,
  seconds: 1,
  values: Array.from({ length: 600 }, (_, at) => (at < 200 || (at > 300 && at < 320) ? null : 2.5 + Math.sin(at / 20))),
});

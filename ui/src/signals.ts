import { CLASSES, type Percentiles, ROUTES, type Route, type Routes, STATUS, type Status, type StatusClass } from "./api";
import * as format from "./format";
import type { Live } from "./live";

/** Seconds over which a rate is taken: one for what is charted, a few for what is read as a number. */
const CHARTED_MS = 1_000;
export const READ_MS = 5_000;

/** A number followed over time. One line here gives it a place in the history, the strip and the charts. */
export interface Signal {
  label: string;
  /** What exactly is shown. */
  about: string;
  show: (value: number) => string;
  read: (live: Live) => number | undefined;
  /** Whether any value above zero deserves a look. */
  bad?: true;
  /** It tells of the process, whatever planes there are. */
  ofProcess?: true;
}

const statusRate = (read: (status: Status) => number | undefined) => (live: Live) =>
  live.feed(STATUS).rate<Status>(read, CHARTED_MS);

const classTotal = (routes: Routes, wanted: StatusClass) =>
  routes.routes?.reduce((sum, route) => sum + (route.requests?.[wanted] ?? 0), 0);

const classRate = (wanted: StatusClass) => (live: Live) =>
  live.feed(ROUTES).rate<Routes>((routes) => classTotal(routes, wanted), CHARTED_MS);

const total = (route: Route) => CLASSES.reduce((sum, wanted) => sum + (route.requests?.[wanted] ?? 0), 0);

/** The requests of a route per second, over a few seconds. */
export const routeRate = (live: Live, name: string, wanted?: StatusClass): number | undefined =>
  live.feed(ROUTES).rate<Routes>((routes) => {
    const route = routes.routes?.find((route) => route.name === name);
    return route && (wanted ? (route.requests?.[wanted] ?? 0) : total(route));
  }, READ_MS);

/** The edge's own percentile; without it the mean over the routes, weighted by their present traffic. */
const percentile = (which: keyof Percentiles) => (live: Live) => {
  const whole = live.status.edge?.latency?.[which];
  if (typeof whole === "number") return whole;
  let [sum, weight] = [0, 0];
  for (const route of live.latest<Routes>(ROUTES)?.routes ?? []) {
    const rate = routeRate(live, route.name) ?? 0;
    const value = route[which];
    if (rate > 0 && typeof value === "number") [sum, weight] = [sum + rate * value, weight + rate];
  }
  return weight > 0 ? sum / weight : undefined;
};

const latency = (label: string, share: string, which: keyof Percentiles): Signal => ({
  label,
  about: `${share} of requests are answered within this time`,
  show: format.milliseconds,
  read: percentile(which),
});

/** The live strip, in its order. */
export const STRIP = {
  requests: {
    label: "Requests",
    about: "Requests that arrived, per second",
    show: format.perSecond,
    read: (live) =>
      statusRate((status) => status.edge?.requests)(live) ??
      live.feed(ROUTES).rate<Routes>((routes) => routes.routes?.reduce((sum, r) => sum + total(r), 0), CHARTED_MS),
  },
  errors: {
    label: "Errors",
    about: "Answers with status 5xx, per second",
    show: format.perSecond,
    read: classRate("5xx"),
    bad: true,
  },
  inFlight: {
    label: "In flight",
    about: "Requests under way now",
    show: format.count,
    read: (live) => live.status.edge?.in_flight,
  },
  p50: latency("p50", "Half", "p50_ms"),
  p95: latency("p95", "95 %", "p95_ms"),
  p99: latency("p99", "99 %", "p99_ms"),
  connections: {
    label: "Connections",
    about: "Open connections of clients",
    show: format.count,
    read: (live) => live.status.edge?.connections?.open,
  },
  bytesIn: {
    label: "Received",
    about: "Bytes of bodies from clients, per second",
    show: format.bytesPerSecond,
    read: statusRate((status) => status.edge?.bytes?.in),
  },
  bytesOut: {
    label: "Sent",
    about: "Bytes of bodies to clients, per second",
    show: format.bytesPerSecond,
    read: statusRate((status) => status.edge?.bytes?.out),
  },
  cpu: {
    label: "CPU",
    about: "CPU time of this process; 100 % is one core",
    ofProcess: true,
    show: format.percent,
    read: (live) => {
      const cores = live.feed(STATUS).rate<Status>((status) => status.process?.cpu_seconds, READ_MS);
      return cores === undefined ? undefined : cores * 100;
    },
  },
  memory: {
    label: "Memory",
    about: "Memory this process holds in RAM",
    ofProcess: true,
    show: format.bytes,
    read: (live) => live.status.process?.resident_bytes,
  },
} satisfies Record<string, Signal>;

/** Requests per second by class of status, for the chart. */
export const BY_CLASS = Object.fromEntries(
  CLASSES.map((wanted) => [
    wanted,
    { label: wanted, about: `Answers ${wanted} per second`, show: format.perSecond, read: classRate(wanted) },
  ]),
) as Record<StatusClass, Signal>;

export const SIGNALS = { ...STRIP, ...BY_CLASS } satisfies Record<string, Signal>;
export type SignalName = keyof typeof SIGNALS;

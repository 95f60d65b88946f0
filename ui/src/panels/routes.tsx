import { ROUTES, type Route, type Routes, type StatusClass } from "../api";
import * as format from "../format";
import type { Live } from "../live";
import { type Column, Table } from "../parts/table";
import { routeRate } from "../signals";
import type { Panel } from ".";

export const routes: Panel = { id: "routes", title: "Routes", width: "wide", sources: [ROUTES], edge: true, View };

function View({ live }: { live: Live }) {
  const perSecond = (route: Route, wanted?: StatusClass) => format.or(routeRate(live, route.name, wanted), format.perSecond);
  const errors = (wanted: StatusClass, colour: string): Column<Route> => ({
    title: wanted,
    about: `Answers ${wanted} per second`,
    numeric: true,
    cell: (route) => <span class={routeRate(live, route.name, wanted) ? colour : "quiet"}>{perSecond(route, wanted)}</span>,
  });
  const columns: Column<Route>[] = [
    { title: "Route", names: true, cell: (route) => <RouteName route={route} /> },
    { title: "Requests", about: "Per second", numeric: true, cell: (route) => perSecond(route) },
    errors("4xx", "warning"),
    errors("5xx", "alarm"),
    { title: "In flight", numeric: true, cell: ({ in_flight }) => format.or(in_flight, format.count) },
    { title: "p50", about: "Half of the requests are faster", numeric: true, cell: ({ p50_ms }) => format.or(p50_ms, format.milliseconds) },
    { title: "p95", about: "95 % of the requests are faster", numeric: true, cell: ({ p95_ms }) => format.or(p95_ms, format.milliseconds) },
    { title: "p99", about: "99 % of the requests are faster", numeric: true, cell: ({ p99_ms }) => format.or(p99_ms, format.milliseconds) },
  ];
  return (
    <Table
      label="Routes"
      columns={columns}
      groups={[{ key: "all", rows: live.latest<Routes>(ROUTES)?.routes ?? [] }]}
      rowKey={({ name }) => name}
      empty="No route is configured: add an [[edge.route]] to the configuration."
    />
  );
}

/** What the server calls requests that no route takes. */
const UNROUTED = "(none)";

function RouteName({ route: { name, pool } }: { route: Route }) {
  return (
    <>
      <code>{name}</code>
      {name === UNROUTED && <span class="detail">no route matched</span>}
      {pool && <span class="detail">to pool {pool}</span>}
    </>
  );
}

import { ROUTES, type Status } from "../api";
import { Chart, type Layer } from "../parts/chart";
import type { Panel } from ".";

/** From the bottom of the stack to its top: the worse, the higher. */
const LAYERS: Layer[] = (["2xx", "3xx", "1xx", "4xx", "5xx"] as const).map((signal) => ({
  signal,
  colour: `--status-${signal}`,
}));

export const traffic: Panel = {
  id: "traffic",
  title: "Requests per second by status",
  width: "half",
  sources: [ROUTES],
  edge: true,
  View: ({ live }) => (
    <>
      <Chart live={live} label="Requests per second by class of status, last ten minutes" layers={LAYERS} stacked />
      <FirstSteps status={live.status} />
    </>
  ),
};

/** What to do while there is nothing to see. */
function FirstSteps({ status: { edge } }: { status: Status }) {
  const listener = edge?.listeners?.find(({ protocol }) => protocol !== "tcp");
  if (edge?.requests !== 0 || !listener?.address) return null;
  const host = listener.address.replace("0.0.0.0", "localhost").replace("[::]", "localhost");
  return (
    <p class="empty">
      No request has arrived yet. Send one: <code>curl {listener.tls ? "https" : "http"}://{host}/</code>
    </p>
  );
}

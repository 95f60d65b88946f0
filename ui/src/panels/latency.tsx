import { ROUTES } from "../api";
import { Chart, type Layer } from "../parts/chart";
import type { Panel } from ".";

const LAYERS: Layer[] = [
  { signal: "p50", colour: "--latency-p50" },
  { signal: "p95", colour: "--latency-p95" },
  { signal: "p99", colour: "--latency-p99" },
];

export const latency: Panel = {
  id: "latency",
  title: "Latency",
  width: "half",
  sources: [ROUTES],
  edge: true,
  View: ({ live }) => <Chart live={live} label="Latency percentiles, last ten minutes" layers={LAYERS} />,
};

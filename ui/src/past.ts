import { read } from "./api";
import { type Course, courseOf } from "./lens";
import type { SignalName } from "./signals";

/** Where the lens keeps what a signal was, and what one of its units is here. */
interface Kept {
  signal: string;
  label?: string | undefined;
  times?: number;
}

/** What the lens does not follow (what this process takes) begins when the page is opened. */
const KEPT: Partial<Record<SignalName, Kept>> = {
  requests: { signal: "traffic.requests" },
  errors: { signal: "traffic.errors" },
  inFlight: { signal: "traffic.in_flight" },
  p50: { signal: "traffic.latency_p50", times: 1_000 },
  p95: { signal: "traffic.latency_p95", times: 1_000 },
  p99: { signal: "traffic.latency_p99", times: 1_000 },
  connections: { signal: "traffic.connections" },
  bytesIn: { signal: "traffic.received" },
  bytesOut: { signal: "traffic.sent" },
  "1xx": { signal: "traffic.answers", label: "1xx" },
  "2xx": { signal: "traffic.answers", label: "2xx" },
  "3xx": { signal: "traffic.answers", label: "3xx" },
  "4xx": { signal: "traffic.answers", label: "4xx" },
  "5xx": { signal: "traffic.errors" },
};

/** The last ten minutes of every signal that the lens has kept, one point a second, the newest last. */
export type Past = Map<SignalName, (number | null)[]>;

/** Asks the lens; what it does not know, or where it is off, is left out. */
export async function past(): Promise<Past> {
  const kept = Object.entries(KEPT) as [SignalName, Kept][];
  const columns = await Promise.all(
    kept.map(async ([name, { signal, label, times = 1 }]) => {
      const course = (await read(courseOf({ signal, label })).catch(() => null)) as Course | null;
      // Longer points would have to be drawn as such.
      if (course?.seconds !== 1) return undefined;
      const values = course.values?.map((value) => (value === null ? null : value * times)) ?? [];
      return [name, values] as const;
    }),
  );
  return new Map(columns.filter((column) => column !== undefined));
}

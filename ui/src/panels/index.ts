import type { ComponentType } from "preact";
import type { Plane } from "../api";
import type { Live } from "../live";
import { cache } from "./cache";
import { cliffs } from "./cliffs";
import { events } from "./events";
import { latency } from "./latency";
import { pools } from "./pools";
import { postgres } from "./postgres";
import { routes } from "./routes";
import { traffic } from "./traffic";

/** One part of the page. A new one is a file in this folder and a line in the list below. */
export interface Panel {
  id: string;
  title: string;
  /** `half` stands beside another from 800 pixels on, `wide` only where there is much room. */
  width: "half" | "wide" | "full";
  /** Pages of the API it reads, asked each second. The panel is hidden while the server lacks one of them. */
  sources: string[];
  /** What answers those pages, where that may be off: then they are not asked for. */
  plane?: Plane;
  /** It tells of the edge: hidden where none is configured. */
  edge?: true;
  View: ComponentType<{ live: Live }>;
}

/** Every panel, in the order of the page. */
export const PANELS: Panel[] = [cliffs, traffic, latency, pools, cache, postgres, routes, events];

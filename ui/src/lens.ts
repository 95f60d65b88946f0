// What the lens answers: which cliff is next, what to do about it, and what it measured. As in `api.ts`, every
// field may be missing.

import { words } from "./format";

export const CLIFFS = "/api/cliffs";
export const ADVICE = "/api/advice";
export const SIGNALS = "/api/signals";

/** How near a cliff is. */
export type Level = "unknown" | "clear" | "watch" | "near" | "over";

export interface Evidence {
  signal: string;
  label?: string | undefined;
  value?: number;
  unit?: string;
  /** The same as a clause. */
  text?: string;
}

/** Kinds of cliffs that are not written as they are called. */
const KINDS: Record<string, string> = {
  cpu: "CPU",
  concurrency: "workers",
  network: "network link",
};

/** There is but one of these. */
const ONLY = ["link", "disk", "files", "ports"];

/** What runs out, as people write it. */
export function kindOf({ id, kind, resource }: Cliff): string {
  if (kind === "descriptors") return resource === "ports" ? "local ports" : "open files";
  return kind ? (KINDS[kind] ?? words(kind)) : id;
}

/** What runs out of which resource. */
export function nameOf(cliff: Cliff): string {
  const { resource } = cliff;
  if (!resource || ONLY.includes(resource)) return kindOf(cliff);
  return `${kindOf(cliff)} of ${resource === "machine" ? "this machine" : `\`${resource}\``}`;
}

/** The load at which a cliff is reached. */
export interface At {
  load: number;
  low: number;
  high: number;
  confidence?: number;
}

/** Seconds until a cliff is reached. */
export interface Within {
  value: number;
  low: number;
  high: number;
}

export interface Cliff {
  id: string;
  kind?: string;
  resource?: string;
  level?: Level;
  since?: string;
  state?: "forecast" | "pressing" | "none_in_sight" | "cannot_tell";
  at?: At | null;
  within?: Within | null;
  headroom?: number | null;
  used?: number | null;
  limit?: number | null;
  unit?: string;
  text?: string;
  evidence?: Evidence[];
}

export interface Load {
  value: number;
  unit?: string;
}

export interface Cliffs {
  load?: Load | null;
  /** Name of the cliff that comes first; none when none is in sight. */
  nearest?: string | null;
  /** What is wrong with the answers, whatever a cliff says. */
  trouble?: string | null;
  summary?: string;
  /** The nearest first. */
  cliffs?: Cliff[];
}

/** What advice costs, in the user's terms. */
export const PRICES = ["complexity", "staleness", "money", "operations"] as const;

export interface Advice {
  id: string;
  title?: string;
  why?: string;
  cliff?: string | null;
  gain?: { text?: string };
  price?: Partial<Record<(typeof PRICES)[number], string>>;
  /** Lines of the configuration that switch it on. */
  lines?: string | null;
  /** How to do it without them. */
  elsewhere?: string | null;
  evidence?: Evidence[];
  dismissed?: { reason?: string; at?: string } | null;
}

export interface Considered {
  technique: string;
  verdict?: "no_need" | "cannot_tell";
  why?: string;
}

/** Advice that was followed. */
export interface Applied {
  id: string;
  title?: string;
  at?: string;
  before?: number | null;
  predicted?: number | null;
  /** Null until it is known. */
  measured?: number | null;
  unit?: string;
}

export interface AdvicePage {
  summary?: string;
  /** The most pressing first, what was dismissed last. */
  advice?: Advice[];
  considered?: Considered[];
  applied?: Applied[];
  /** Whether what was dismissed and followed outlives a restart. */
  kept?: boolean;
}

/** What cannot be measured, and why. */
export interface Unknown {
  what?: string;
  why?: string;
}

export interface SignalsPage {
  unknown?: Unknown[];
}

/** One signal over time. */
export interface Course {
  unit?: string;
  about?: string;
  /** Length of each point. */
  seconds?: number;
  /** The oldest first. */
  values?: (number | null)[];
}

/** Where the course of a signal over the last ten minutes is read. */
export const courseOf = ({ signal, label }: Evidence): string =>
  `${SIGNALS}?${new URLSearchParams({ name: signal, label: label ?? "", last: "10m" })}`;

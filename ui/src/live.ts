import { type Plane, Refused, read, STATUS, type Status } from "./api";
import { Feed } from "./feed";
import { History } from "./history";
import { past } from "./past";

/** How often the server is asked. */
const EVERY_MS = 1_000;
/** How often a page that is not there is tried again: its plane may be switched on. */
const MISSING_EVERY_MS = 30_000;

/** Answers after which every rate is known. */
const WARM_ANSWERS = 4;

/** Why the numbers stand still. */
export type Trouble = { kind: "away"; since: Date } | { kind: "signed out" };

/** Asks the server each second while the page is visible, and tells the page when something is new. */
export class Live {
  readonly history = new History();
  trouble: Trouble | undefined;

  private readonly feeds: Map<string, Feed>;
  /** What answers a page, where that may be off. */
  private readonly planes: Map<string, Plane>;
  private readonly missingUntil = new Map<string, number>();
  private readonly listeners = new Set<() => void>();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private asking = false;
  private lastAnswer = new Date();
  private pid: number | undefined;
  /** Answers until the past is asked for once more; none when it is not. */
  private recalling: number | undefined;

  constructor(panels: { sources: string[]; plane?: Plane }[]) {
    const sources = panels.flatMap(({ sources }) => sources);
    this.feeds = new Map([STATUS, ...sources].map((path) => [path, new Feed()]));
    this.planes = new Map(panels.flatMap(({ sources, plane }) => (plane ? sources.map((path) => [path, plane]) : [])));
  }

  start(): void {
    document.addEventListener("visibilitychange", () => this.wake());
    this.wake();
  }

  /** Asks now instead of at the next second. */
  wake(): void {
    clearTimeout(this.timer);
    if (!document.hidden && !this.asking) void this.tick();
  }

  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  feed(path: string): Feed {
    const feed = this.feeds.get(path);
    if (!feed) throw new Error(`no panel names ${path} as its source`);
    return feed;
  }

  /** The newest answer of a page; `undefined` before the first. */
  latest<T>(path: string): T | undefined {
    return (this.feed(path).latest?.value ?? undefined) as T | undefined;
  }

  get status(): Status {
    return this.latest<Status>(STATUS) ?? {};
  }

  /** Whether anything listens for HTTP or TCP; taken for granted until it is known. */
  get hasEdge(): boolean {
    return this.status.edge?.listeners?.length !== 0;
  }

  /** Whether a plane is off; taken not to be until it is known. */
  isOff(plane: Plane): boolean {
    return this.feed(STATUS).latest !== undefined && this.status[plane] === undefined;
  }

  /** Whether the server does not have a page because its plane is off. */
  isMissing(path: string): boolean {
    const plane = this.planes.get(path);
    return (plane !== undefined && this.isOff(plane)) || this.missingUntil.has(path);
  }

  private async tick(): Promise<void> {
    this.asking = true;
    const began = performance.now();
    try {
      await this.askAll(began);
    } finally {
      // Whatever an answer held, the next one may be better.
      this.asking = false;
      if (!document.hidden) {
        this.timer = setTimeout(() => this.wake(), Math.max(0, EVERY_MS - (performance.now() - began)));
      }
    }
  }

  private async askAll(began: number): Promise<void> {
    // What there is to be asked, the first answer tells.
    const first = this.feed(STATUS).latest ? [] : [STATUS];
    const failures = await this.askEach(first);
    const due = [...this.feeds.keys()].filter((path) => !first.includes(path) && this.isDue(path, began));
    this.judge([...failures, ...(await this.askEach(due))]);
    if (!this.trouble) this.record();
    for (const listener of this.listeners) listener();
  }

  private isDue(path: string, now: number): boolean {
    const plane = this.planes.get(path);
    return !(plane && this.isOff(plane)) && (this.missingUntil.get(path) ?? 0) <= now;
  }

  /** Asks for pages at once; gives the failures. */
  private async askEach(paths: string[]): Promise<unknown[]> {
    return (await Promise.all(paths.map((path) => this.ask(path)))).filter((failure) => failure !== undefined);
  }

  private record(): void {
    const at = performance.now();
    // When the page is opened, and when it has not looked for a while, the lens has; and until rates are known here.
    if (this.history.lacks(at)) {
      void this.recall();
      this.recalling = WARM_ANSWERS;
    } else if (this.recalling !== undefined && --this.recalling === 0) {
      void this.recall();
      this.recalling = undefined;
    }
    this.history.record(this, at, Date.now());
  }

  private async recall(): Promise<void> {
    if (this.isOff("lens")) return;
    this.history.fill(await past(), Date.now());
    for (const listener of this.listeners) listener();
  }

  /** Takes one answer; gives the failure when there is one. */
  private async ask(path: string): Promise<unknown> {
    try {
      const value = await read(path);
      this.missingUntil.delete(path);
      if (path === STATUS) this.noticeRestart(value as Status);
      this.feed(path).push(value, performance.now());
      return undefined;
    } catch (failure) {
      if (failure instanceof Refused && failure.status === 404) {
        this.missingUntil.set(path, performance.now() + MISSING_EVERY_MS);
        this.feed(path).clear();
        return undefined;
      }
      return failure;
    }
  }

  private judge(failures: unknown[]): void {
    if (failures.some((failure) => failure instanceof Refused && failure.status === 401)) {
      this.trouble = { kind: "signed out" };
    } else if (failures.length > 0) {
      this.trouble ??= { kind: "away", since: this.lastAnswer };
    } else {
      this.trouble = undefined;
      this.lastAnswer = new Date();
    }
  }

  /** A new process counts from zero: what the old one said makes no rate with it. */
  private noticeRestart(status: Status): void {
    if (this.pid !== undefined && status.pid !== this.pid) {
      for (const feed of this.feeds.values()) feed.clear();
      this.missingUntil.clear();
    }
    this.pid = status.pid;
  }
}

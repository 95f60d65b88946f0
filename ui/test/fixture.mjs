// A stand-in for a running Deepwater: the built page, and an API whose numbers grow as time passes.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import * as lens from "./lens.mjs";

const PAGE = readFileSync(new URL("../../crates/lens/src/console/console.html", import.meta.url), "utf8");

/** The policy the real server sends (`asset.rs`): whatever the page does must work under it. */
function policy(html) {
  const sources = (element) =>
    [...html.matchAll(new RegExp(`<${element}[^>]*>(.*?)</${element}>`, "gs"))]
      .map(([, content]) => `'sha256-${createHash("sha256").update(content).digest("base64")}'`)
      .join(" ");
  return (
    `default-src 'none'; script-src ${sources("script")}; style-src ${sources("style")}; ` +
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
  );
}

const ago = (seconds) => new Date(Date.now() - seconds * 1_000).toISOString();

export class Fixture {
  /** Commands received: path, headers, what the body asks. */
  commands = [];
  /** Status the next command is answered with. */
  commandStatus = 200;
  /** Circuit breakers of the pool `app`. */
  breakers = {
    pool: { state: "half_open", opened: 1 },
    targets: { "00003000": { state: "closed", opened: 0 }, "00003001": { state: "open", opened: 4 } },
  };
  /** Whether the pool `app` has a limit. */
  limits = true;
  /** Whether an edge is configured. */
  edge = true;
  /** Whether a route caches. */
  caches = true;
  /** What the lens sees: a key of `CLIFFS` in `lens.mjs`. */
  cliffs = "forecast";
  /** `/api/advice`. */
  advice = { summary: "12 connections", advice: [lens.ADVICE(), lens.REPLICAS()], considered: lens.CONSIDERED, applied: lens.APPLIED };
  /** What is on of what may be off: the pages of the rest answer 404. */
  planes = new Set(["postgres", "lens"]);
  /** Pages that answer 404. */
  missing = new Set();
  /** Pages of the API that were read. */
  reads = 0;
  pid = 4711;

  #started = Date.now();
  #server;
  #sockets = new Set();
  #states = new Map();
  #purges = { tag: 1_204, url: 3, prefix: 0, host: 0, all: 0, version: 2 };
  #versions = { pricing: 3 };
  #paused = new Set();
  port = 0;

  get url() {
    return `http://127.0.0.1:${this.port}/`;
  }

  async start() {
    this.#server = createServer((request, response) => this.#answer(request, response));
    this.#server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
    });
    await new Promise((listening, failed) => {
      this.#server.once("error", failed).listen(this.port, "127.0.0.1", listening);
    });
    this.port = this.#server.address().port;
  }

  async stop() {
    const closed = new Promise((done) => this.#server.close(done));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #answer(request, response) {
    const { pathname: path, searchParams } = new URL(request.url, this.url);
    if (path === "/") {
      response.writeHead(200, { "content-type": "text/html; charset=utf-8", "content-security-policy": policy(PAGE) });
      return response.end(PAGE);
    }
    const json = (status, body) => {
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify(body));
    };
    if (request.method === "POST") {
      let body = "";
      request.on("data", (part) => (body += part));
      return request.on("end", () => json(...this.#command(request, path, JSON.parse(body))));
    }
    this.reads += 1;
    const read = {
      "/api/status": () => this.#status(),
      "/api/cliffs": () => lens.CLIFFS[this.cliffs],
      "/api/advice": () => this.advice,
      "/api/signals": () => {
        const name = searchParams.get("name");
        return name ? lens.course(name, searchParams.get("label")) : { signals: [], unknown: lens.UNKNOWN };
      },
      "/api/edge/pools": () => this.#pools(),
      "/api/edge/routes": () => this.#routes(),
      "/api/cache": () => this.#cache(),
      "/api/postgres/pools": () => this.#postgres(),
      "/api/events": () => this.#events(),
    }[path];
    const plane = { cliffs: "lens", advice: "lens", signals: "lens", postgres: "postgres" }[path.split("/")[2]];
    const there = read && !this.missing.has(path) && (!plane || this.planes.has(plane));
    return there ? json(200, read()) : json(404, { error: `there is nothing at ${path}` });
  }

  #command(request, path, asked) {
    this.commands.push({ path, headers: request.headers, asked });
    if (this.commandStatus !== 200) return [this.commandStatus, { error: "there is no such target" }];
    if (path === "/api/cache/purge") return this.#purge(asked);
    const advised = path.match(/advice\/([^/]+)\/(dismiss|restore)$/);
    if (advised) return this.#decide(decodeURIComponent(advised[1]), advised[2] === "dismiss" ? asked.reason : null);
    const pooler = path.match(/postgres\/pools\/([^/]+)\/(pause|resume)$/);
    if (pooler) {
      this.#paused[pooler[2] === "pause" ? "add" : "delete"](decodeURIComponent(pooler[1]));
      return [200, {}];
    }
    const [, target, action] = path.match(/targets\/([^/]+)\/(drain|undrain)$/);
    this.#states.set(decodeURIComponent(target), action === "drain" ? "draining" : "healthy");
    return [200, {}];
  }

  #decide(id, reason) {
    const row = this.advice.advice.find((row) => row.id === id);
    row.dismissed = reason && { reason, at: ago(0) };
    const order = ({ id, dismissed }) => (dismissed ? "1" : "0") + id;
    this.advice.advice.sort((a, b) => order(a).localeCompare(order(b)));
    return [200, { id, dismissed: row.dismissed }];
  }

  #purge({ soft = false, ...purged }) {
    for (const kind of Object.keys(purged)) this.#purges[kind] += 1;
    if (!purged.version) return [200, { purged, soft }];
    this.#versions[purged.version] = (this.#versions[purged.version] ?? 0) + 1;
    return [200, { purged, soft, versions: { [purged.version]: this.#versions[purged.version] } }];
  }

  #cache() {
    if (!this.caches) return { enabled: false, routes: [] };
    const route = (name, rate, rest) => ({
      name,
      hits: this.#grown(rate * 0.9, rate),
      stale: this.#grown(rate * 0.01),
      coalesced: this.#grown(rate * 0.02),
      revalidated: this.#grown(rate * 0.01),
      misses: this.#grown(rate * 0.05),
      bypassed: this.#grown(rate * 0.01),
      refreshed_early: this.#grown(rate * 0.01),
      refreshed_stale: this.#grown(rate * 0.01),
      fetches: this.#grown(rate * 0.08),
      hit_ratio: 0.94,
      served_bytes: this.#grown(rate * 9_000),
      ...rest,
    });
    const nothing = { hits: 0, stale: 0, coalesced: 0, revalidated: 0, misses: 0, bypassed: 0, refreshed_early: 0, refreshed_stale: 0, fetches: 0, hit_ratio: null, served_bytes: 0 };
    return {
      enabled: true,
      name: "deepwater-edge",
      memory: { bytes: 171_000_000, capacity: 268_435_456, objects: 12_480, largest: 33_554_288 },
      store: { inserted: 40_000, replaced: 9_000, removed: 40, evicted: 18_000, ghost_hits: 300, rejected: 2 },
      hit_ratio: 0.9312,
      fetches_in_flight: 3,
      refreshes_in_flight: 1,
      purges: this.#purges,
      versions: this.#versions,
      routes: [route("1 shop.example/products/{id}", 410), route("3 /*", 230, { hit_ratio: 0.871 }), route("4 /new/*", 0, nothing)],
    };
  }

  /** A cumulative count that grows by about `rate` a second, with waves. */
  #grown(rate, phase = 0) {
    const seconds = (Date.now() - this.#started) / 1_000 + 60;
    const wave = (rate / 3) * (Math.sin(seconds / 7 + phase) * 7 + Math.sin(seconds / 2.3 + phase) * 1.1);
    return Math.round(rate * seconds + wave);
  }

  #wobble(value, phase = 0) {
    const seconds = (Date.now() - this.#started) / 1_000;
    return value * (1 + 0.25 * Math.sin(seconds / 5 + phase) + 0.08 * Math.sin(seconds * 1.7 + phase));
  }

  #status() {
    return {
      version: "0.1.0",
      commit: "0c659bc",
      pid: this.pid,
      uptime_seconds: 93_784 + (Date.now() - this.#started) / 1_000,
      phase: "running",
      process: { cpu_seconds: this.#grown(23) / 100, resident_bytes: 38_400_000, open_files: 212 },
      edge: {
        requests: this.#routes().routes.flatMap(({ requests }) => Object.values(requests)).reduce((a, b) => a + b),
        in_flight: Math.round(this.#wobble(14)),
        connections: { open: Math.round(this.#wobble(182, 1)), accepted: this.#grown(3) },
        bytes: { in: this.#grown(412_000), out: this.#grown(9_800_000) },
        listeners: !this.edge ? [] : [
          { address: "0.0.0.0:8080", protocol: "http", tls: false },
          { address: "0.0.0.0:8443", protocol: "http", tls: true },
        ],
      },
      ...Object.fromEntries([...this.planes].map((plane) => [plane, {}])),
    };
  }

  #pools() {
    const target = (name, state, rest) => ({
      id: `0000${name.slice(-4)}`,
      name,
      address: name,
      state: this.#states.get(name) ?? state,
      reason: null,
      since: ago(93_000),
      weight: 1,
      in_flight: Math.round(this.#wobble(4, name.length)),
      requests: this.#grown(310, name.charCodeAt(name.length - 1)),
      failures: 2,
      latency_ms: this.#wobble(1.8),
      ejections: 0,
      check: { healthy: true, detail: "200 in 1 ms", failing: [] },
      ...rest,
    });
    return {
      pools: [
        {
          name: "app",
          balance: "least_response_time",
          panic: false,
          breakers: this.breakers,
          concurrency: this.limits
            ? {
                limit: 32,
                in_flight: 31,
                waiting: { low: 24, normal: 3, high: 0, critical: 0 },
                overloaded: true,
                shed: { full: this.#grown(41), displaced: 90, overloaded: 12, waited_too_long: 0, left: 100_000_000 },
              }
            : null,
          targets: [
            target("127.0.0.1:3000", "healthy", { weight: 4 }),
            target("127.0.0.1:3001", "healthy", {}),
            target("127.0.0.1:3002", "slow_start", { reason: "back for 12 s of 30 s", since: ago(12), weight: 2 }),
            target("127.0.0.1:3003", "ejected", {
              reason: "5 consecutive errors",
              since: ago(47),
              requests: 48_210,
              in_flight: 0,
              failures: this.#grown(2),
              latency_ms: 812,
              ejections: 3,
              check: { healthy: false, detail: "503 in 9 ms", failing: ["database", "queue"] },
            }),
          ],
        },
        {
          name: "reports",
          balance: "round_robin",
          panic: true,
          breakers: { pool: null, targets: null },
          concurrency: null,
          targets: [
            target("reports-1.internal:4000", "unhealthy", {
              address: "10.0.4.17:4000",
              reason: "3 checks failed",
              since: ago(380),
              requests: 9_120,
              failures: 38,
              latency_ms: null,
              check: { healthy: false, detail: "connection refused", failing: [] },
            }),
            target("reports-2.internal:4000", "unknown", { address: "10.0.4.18:4000", check: null, requests: 0, failures: 0, in_flight: 0, latency_ms: null }),
          ],
        },
      ],
    };
  }

  #postgres() {
    const pool = (database, user, rate, rest) => ({
      database,
      user,
      mode: "transaction",
      size: 20,
      min_size: 0,
      reserve_size: 0,
      clients: Math.round(this.#wobble(rate / 4)),
      waiting: 0,
      longest_wait_ms: 0,
      servers: { idle: 14, active: 6, connecting: 0 },
      paused: this.#paused.has(database),
      failing: false,
      queries: this.#grown(rate * 3, rate),
      transactions: this.#grown(rate, rate),
      bytes: { received: this.#grown(rate * 400), sent: this.#grown(rate * 9_000) },
      wait: { count: this.#grown(rate), p50_ms: 0.016, p95_ms: 0.2, p99_ms: 1.6 },
      use: { count: this.#grown(rate), p50_ms: 2.1, p95_ms: 8, p99_ms: 18 },
      refused: 0,
      pins: { advisory_lock: 0, temp_table: 0, hold_cursor: 0, listen: 0, prepare: 0, unread_text: 0, load: 0 },
      advice: null,
      ...rest,
    });
    return {
      pools: [
        pool("shop", "web", 1_300, {
          size: 4,
          waiting: 38,
          longest_wait_ms: 162.4,
          servers: { idle: 0, active: 4, connecting: 0 },
          refused: this.#grown(40),
          advice: { sentence: "9 connections would do: 1,300 transactions a second of 5 ms keep 6.5 busy." },
        }),
        pool("shop", "jobs", 40, { mode: "session", pins: { advisory_lock: 1_204, temp_table: 3, listen: 0 } }),
        pool("reports", "web", 0, {
          failing: true,
          servers: { idle: 0, active: 0, connecting: 1 },
          wait: { count: 0, p50_ms: null, p95_ms: null, p99_ms: null },
        }),
      ],
    };
  }

  #routes() {
    const route = (name, pool, rate, p50_ms, errors = 0) => ({
      name,
      pool,
      requests: {
        "1xx": 0,
        "2xx": this.#grown(rate * 0.86, rate),
        "3xx": this.#grown(rate * 0.09, rate),
        "4xx": this.#grown(rate * 0.05, rate),
        "5xx": errors ? this.#grown(errors) : 0,
      },
      in_flight: Math.round(this.#wobble(rate / 90)),
      p50_ms: this.#wobble(p50_ms),
      p95_ms: this.#wobble(p50_ms * 3.1, 1),
      p99_ms: this.#wobble(p50_ms * 8.4, 2),
    });
    return {
      routes: [
        route("0 /api/*", "app", 620, 1.2, 4),
        route("1 shop.example/products/{id}", "app", 410, 2.4),
        route("2 /reports/*", "reports", 4, 310, 1),
        route("3 /*", "app", 230, 0.7),
      ],
    };
  }

  #events() {
    const event = (seconds, level, event, message) => ({ at: ago(seconds), level, event, message, fields: {} });
    return {
      events: [
        event(12, "info", "target_returned", "target 127.0.0.1:3002 of pool app is back and starts slowly"),
        event(47, "warn", "target_ejected", "target 127.0.0.1:3003 of pool app was ejected for 20 s: 5 consecutive errors"),
        event(370, "error", "pool_panicked", "pool reports has no healthy target and sends to all"),
        event(380, "warn", "target_failed", "target reports-1.internal:4000 of pool reports failed its check: connection refused"),
        event(4_000, "debug", "names_resolved", "reports-1.internal resolved to 10.0.4.17"),
        event(93_780, "info", "console_started", "the console listens on http://127.0.0.1:9000"),
      ],
    };
  }
}

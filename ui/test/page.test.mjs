// The page in a real browser, against a server whose numbers grow.

import assert from "node:assert/strict";
import { test } from "node:test";
import { complaints, number, open, page, row, server, shows, tile } from "./stage.mjs";

test("the header names the build, its age, its phase and where it listens", async () => {
  await open();
  const header = page.locator("header");
  for (const text of ["Deepwater", "0.1.0", "running", /1.d 2.h/, "0.0.0.0:8443"]) await shows(header, text);
});

test("tables show every target and route with its state in words", async () => {
  await open();
  await shows(row("app 127.0.0.1:3003"), "ejected");
  await shows(row("app 127.0.0.1:3003"), "5 consecutive errors");
  await shows(row("app 127.0.0.1:3003"), "failing: database, queue");
  await shows(row("app 127.0.0.1:3002"), "slow start");
  await shows(row("reports reports-2.internal:4000"), "unknown");
  await shows(page.locator("#pools .heading"), "3 of 4 serving");
  await shows(page.locator("#pools .heading"), "panic");
  await shows(row("0 /api/*"), "to pool app");
  assert.equal(await page.locator("#routes tbody tr").count(), 4);
});

test("a pool shows its breakers, its limit, and who waits and who is turned away", async () => {
  await open();
  const guards = page.locator("#pools .guards");
  await shows(guards, /Breaker◐ half-open opened once/);
  await shows(guards, "In flight31 of 32 ▲ overloaded");
  await shows(guards, "Waiting27 3 normal · 24 low");
  await shows(guards, /Turned away\d,\d{3} \d+\/s/);
  await shows(row("app 127.0.0.1:3000"), "breaker ● closed");
  await shows(row("app 127.0.0.1:3001"), "breaker ✕ open opened 4 times");
  await shows(row("app 127.0.0.1:3002"), "breaker ● closed");
  const colour = (state) => page.locator(`#pools .state-${state}`).first().evaluate((e) => getComputedStyle(e).color);
  assert.equal(new Set([await colour("closed"), await colour("half_open"), await colour("open")]).size, 3);

  server.breakers.pool = { state: "closed", opened: 1 };
  await shows(guards, /Breaker● closed/);
});

test("nothing is shown of guards that are not configured", async () => {
  await open();
  await page.locator("#pools .guards").waitFor();
  assert.equal(await page.locator("#pools .guards").count(), 1, "the pool `reports` has none");
  assert.equal(await row("reports reports-1.internal:4000").getByText("breaker").count(), 0);

  server.breakers = { pool: null, targets: {} };
  server.limits = false;
  await page.locator("#pools .guards").waitFor({ state: "detached" });
  await shows(row("app 127.0.0.1:3000"), "breaker ● closed");
});

test("rates appear and follow the growth of the counters", async () => {
  await open();
  await shows(tile("requests"), /\d\/s/);
  const rate = await number(tile("requests"));
  assert.ok(rate > 500 && rate < 2_500, `${rate} requests per second`);
  await shows(tile("errors"), "/s");
  await shows(tile("bytesOut"), "MiB/s");
  await shows(tile("p99"), "ms");
  await shows(row("0 /api/*").locator("[data-title=Requests]"), /\d\/s/);
  await shows(row("app 127.0.0.1:3000").locator("[data-title=Requests]"), /\d\/s/);
});

test("charts are drawn and speak", async () => {
  await open();
  await page.locator("#traffic canvas").waitFor();
  await page.locator("#latency canvas").waitFor();
  await page.locator('#traffic [role=img][aria-label*="2xx"][aria-label*="/s"]').waitFor();
});

test("charts begin with what the lens has kept", async () => {
  await open();
  // The stand-in's lens knows seconds that the page was not there for: the pointer finds them.
  const chart = page.locator("#latency .chart .u-over");
  await chart.waitFor();
  const legend = page.locator("#latency .legend");
  const { width } = await chart.boundingBox();
  await page.waitForFunction(
    () => document.querySelector("[data-signal=p50] path")?.getAttribute("d").split("L").length > 50,
  );
  await chart.hover({ position: { x: width / 2, y: 20 } });
  await shows(legend, /p50.*\d\u202fs.*p99.*\d\d:\d\d:\d\d/);
});

test("drain asks first, posts with the header, and becomes return", async () => {
  await open();
  const target = row("app 127.0.0.1:3001");
  await target.getByRole("button", { name: "Drain 127.0.0.1:3001" }).click();
  const dialog = page.getByRole("dialog");
  await shows(dialog, "2 other targets");
  await dialog.getByRole("button", { name: "Cancel" }).click();
  await dialog.waitFor({ state: "detached" });
  assert.equal(server.commands.length, 0);

  await target.getByRole("button", { name: "Drain" }).click();
  await dialog.getByRole("button", { name: "Drain" }).click();
  await shows(target, "draining");
  assert.equal(server.commands[0].path, "/api/edge/pools/app/targets/127.0.0.1%3A3001/drain");
  assert.equal(server.commands[0].headers["x-deepwater"], "1");

  await target.getByRole("button", { name: "Return" }).click();
  await dialog.getByRole("button", { name: "Return" }).click();
  await shows(target, "healthy");
  assert.match(server.commands[1].path, /\/undrain$/);
});

test("a command that fails says why and leaves the question open", async () => {
  server.commandStatus = 404;
  await open();
  await row("app 127.0.0.1:3000").getByRole("button").click();
  await page.getByRole("dialog").getByRole("button", { name: "Drain" }).click();
  await shows(page.getByRole("alert"), "there is no such target");
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
});

test("an absent server is noticed, and its return too", async () => {
  await open();
  await shows(tile("requests"), /\d\/s/);
  await server.stop();
  await shows(page.getByRole("status"), "does not answer");
  await server.start();
  await page.getByText("does not answer").waitFor({ state: "detached" });
});

test("a restarted server makes no wrong rates", async () => {
  await open();
  await shows(tile("requests"), /\d\/s/);
  server.pid += 1;
  await shows(tile("requests"), "–");
  await shows(tile("requests"), /\d\/s/);
});

test("a hidden tab asks for nothing", async () => {
  await open();
  await shows(tile("requests"), /\d\/s/);
  const hide = (hidden) =>
    page.evaluate((hidden) => {
      Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }, hidden);
  await hide(true);
  // That nothing comes can only be seen by letting time pass: two seconds that would hold two rounds.
  await page.waitForTimeout(500);
  const before = server.reads;
  await page.waitForTimeout(2_000);
  assert.equal(server.reads, before);
  await hide(false);
  await page.waitForResponse(/api\/status/);
});

test("the panel of a plane that is off is not shown", async () => {
  server.missing = new Set(["/api/edge/pools"]);
  await open();
  await row("0 /api/*").waitFor();
  assert.equal(await page.locator("#pools").count(), 0);
});

test("the cache shows what it holds, and what answered requests", async () => {
  await open();
  const cache = page.locator("#cache");
  await shows(cache.locator(".figures"), /Hit ratio93.%/);
  await shows(cache.locator(".figures"), /9\d.% now/);
  await shows(cache.locator(".figures"), /Memory163.MiBof 256.MiB/);
  await shows(cache.locator(".figures"), /Objects12,480Fetches in flight3/);
  const cell = (route, title) => cache.locator(`tr[data-row="${route}"] [data-title="${title}"]`);
  await shows(cell("1 shop.example/products/{id}", "Hit ratio"), /94.%/);
  await shows(cell("1 shop.example/products/{id}", "Served"), /MiB/);
  await shows(cell("4 /new/*", "Hit ratio"), "–");
  await shows(cache.locator(".counts"), "1,204 × tag · 3 × URL · 2 × version");
  await shows(cache.locator(".counts"), "pricing 3");
});

test("a tag, a URL or a version is purged at once, softly where that is wanted", async () => {
  await open();
  const cache = page.locator("#cache");
  await cache.getByLabel("Name of the tag").fill(" product:42 ");
  await cache.getByRole("button", { name: "Purge" }).click();
  await shows(cache.getByRole("status"), "Purged tag product:42.");
  await shows(cache.locator(".counts"), "1,205 × tag");
  assert.equal(server.commands[0].path, "/api/cache/purge");
  assert.equal(server.commands[0].headers["x-deepwater"], "1");
  assert.deepEqual(server.commands[0].asked, { tag: "product:42" });

  await cache.getByRole("combobox").selectOption("url");
  await cache.getByLabel("soft").check();
  await cache.getByLabel("Name of the URL").fill("shop.example/a");
  await page.keyboard.press("Enter");
  await shows(cache.getByRole("status"), "Purged URL shop.example/a softly.");
  assert.deepEqual(server.commands[1].asked, { url: "shop.example/a", soft: true });

  await cache.getByRole("combobox").selectOption("version");
  assert.ok(await cache.getByLabel("soft").isDisabled(), "a version has no soft purge");
  await cache.getByLabel("Name of the version").fill("pricing");
  await page.keyboard.press("Enter");
  await shows(cache.getByRole("status"), "Version pricing is now 4.");
  assert.deepEqual(server.commands[2].asked, { version: "pricing" });
});

test("nothing is purged without a name", async () => {
  await open();
  await page.locator("#cache").getByRole("button", { name: "Purge" }).click();
  assert.ok(await page.locator("#cache input:invalid").isVisible());
  assert.equal(server.commands.length, 0);
});

test("everything is purged only when asked twice", async () => {
  await open();
  const cache = page.locator("#cache");
  await cache.getByRole("combobox").selectOption("all");
  await cache.getByRole("button", { name: "Purge" }).click();
  const dialog = page.getByRole("dialog");
  await shows(dialog, "The cache is emptied");
  await dialog.getByRole("button", { name: "Cancel" }).click();
  await dialog.waitFor({ state: "detached" });
  assert.equal(server.commands.length, 0);

  await cache.getByRole("button", { name: "Purge" }).click();
  await dialog.getByRole("button", { name: "Purge everything" }).click();
  await shows(cache.getByRole("status"), "Purged everything.");
  assert.deepEqual(server.commands[0].asked, { all: true });
});

test("a purge that fails says why", async () => {
  server.commandStatus = 400;
  await open();
  const cache = page.locator("#cache");
  await cache.getByLabel("Name of the tag").fill("x");
  await cache.getByRole("button", { name: "Purge" }).click();
  await shows(cache.getByRole("alert"), "there is no such target");
  assert.equal(await cache.getByLabel("Name of the tag").inputValue(), "x", "what was typed stays");

  server.commandStatus = 200;
  await cache.getByRole("button", { name: "Purge" }).click();
  await cache.getByRole("alert").waitFor({ state: "detached" });
});

test("a cache that is off says how to switch it on", async () => {
  server.caches = false;
  await open();
  await shows(page.locator("#cache"), "Add cache = true to an [[edge.route]]");
  assert.equal(await page.locator("#cache form").count(), 0);
});

test("the pools of PostgreSQL show who waits, who was refused, and what to do about it", async () => {
  await open();
  const postgres = page.locator("#postgres");
  const cell = (pool, title) => postgres.locator(`tr[data-row="${pool}"] [data-title="${title}"]`);
  await shows(row("shop web").getByRole("rowheader"), "webtransaction mode");
  await shows(cell("shop web", "Servers"), "4 of 4");
  await shows(cell("shop web", "Waiting"), /38for 162.ms/);
  await shows(cell("shop web", "Wait"), /1.6.ms/);
  await shows(cell("shop web", "Queries"), /\d,\d{3}\/s/);
  await shows(cell("shop web", "Refused"), /\d\/s/);
  await shows(cell("shop jobs", "Servers"), "6 of 2014 idle");
  await shows(cell("shop jobs", "Pinned"), "1,2071,204 × advisory lock3 × temp table");
  await shows(cell("reports web", "Wait"), "–");
  await shows(postgres.locator(".heading"), "the server cannot be connected to");
  await shows(postgres.locator(".advice"), "web in shop9 connections would do");
  assert.equal(await postgres.locator("tbody").count(), 2, "pools of one database stand together");
});

test("a database is paused and resumed, when asked for twice", async () => {
  await open();
  const postgres = page.locator("#postgres");
  await postgres.getByRole("button", { name: "Pause shop" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
  assert.equal(server.commands.length, 0);

  await postgres.getByRole("button", { name: "Pause shop" }).click();
  await shows(page.getByRole("dialog"), "Transactions under way are finished");
  await page.getByRole("dialog").getByRole("button", { name: "Pause" }).click();
  await shows(postgres.locator(".heading"), "paused: clients wait");
  assert.equal(server.commands[0].path, "/api/postgres/pools/shop/pause");
  assert.equal(server.commands[0].headers["x-deepwater"], "1");

  await postgres.getByRole("button", { name: "Resume shop" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Resume" }).click();
  await postgres.getByRole("button", { name: "Pause shop" }).waitFor();
  assert.equal(server.commands[1].path, "/api/postgres/pools/shop/resume");
});

test("without an edge nothing is shown of one", async () => {
  server.edge = false;
  await open();
  await shows(page.locator("#postgres h2"), "PostgreSQL pools");
  await page.locator("#traffic").waitFor({ state: "detached" });
  for (const id of ["latency", "pools", "cache", "routes"]) assert.equal(await page.locator(`#${id}`).count(), 0, id);
  assert.deepEqual(await page.locator(".strip dt").allTextContents(), ["CPU", "Memory"]);
});

test("without a pool there is no panel for it, and nobody asks for one", async () => {
  server.planes.delete("postgres");
  await open();
  await row("0 /api/*").waitFor();
  assert.equal(await page.locator("#postgres").count(), 0);
  await page.waitForResponse(/api\/edge\/routes/);
  assert.deepEqual(complaints, []);
});

test("events are listed and can be narrowed to what matters", async () => {
  await open();
  const rows = page.locator("#events tbody tr");
  await shows(rows, "was ejected");
  assert.equal(await rows.count(), 5, "debug is left out at first");
  await page.getByLabel("Show").selectOption("errors");
  await rows.nth(1).waitFor({ state: "detached" });
  await shows(rows, "sends to all");
});

test("nothing is cut off at 400 pixels", async () => {
  await page.setViewportSize({ width: 400, height: 800 });
  await open();
  await shows(row("app 127.0.0.1:3003"), "ejected");
  const wide = await page.evaluate(() =>
    [...document.querySelectorAll("main *, header *")]
      .filter((element) => element.getBoundingClientRect().right > innerWidth + 1 && !element.closest(".unseen, thead"))
      .map((element) => element.outerHTML.slice(0, 120)),
  );
  assert.deepEqual(wide, []);
  await row("app 127.0.0.1:3000").getByRole("button", { name: "Drain" }).click();
  await page.getByRole("dialog").waitFor();
});

test("it works by keyboard alone", async () => {
  await open();
  await row("app 127.0.0.1:3000").waitFor();
  const button = row("app 127.0.0.1:3000").getByRole("button");
  for (let stops = 0; stops < 30 && !(await button.evaluate((b) => b === document.activeElement)); stops += 1) {
    await page.keyboard.press("Tab");
  }
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").waitFor();
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await shows(row("app 127.0.0.1:3000"), "draining");
});

test("the page keeps to the policy of the server", async () => {
  await open();
  await page.locator("#latency canvas").waitFor();
  await row("app 127.0.0.1:3000").getByRole("button").click();
  await page.getByRole("dialog").waitFor();
  assert.deepEqual(complaints, []);
});

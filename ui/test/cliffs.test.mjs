// The panel of the next cliff, in each state that the lens can be in.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { complaints, open, page, row, server, shows } from "./stage.mjs";

const panel = () => page.locator("#cliffs");
const verdict = () => panel().locator(".verdict");
const track = () => panel().getByRole("img", { name: "now" }).first();
const advice = (id) => panel().locator(`[data-advice="${id}"]`);
const style = (locator, property) => locator.evaluate((e, property) => getComputedStyle(e)[property], property);

test("the next cliff comes first: in a sentence, as a way with its range, and with its evidence", async () => {
  await open();
  await shows(verdict(), /◐ watch The pool of shop is exhausted at 410 req\/s \(360–470\); you are at 250 req\/s/);
  assert.equal(await page.locator(".panel").first().getAttribute("id"), "cliffs");
  assert.equal(await track().getAttribute("aria-label"), "Load: now 250/s, the end at 410/s, or anywhere from 360/s to 470/s");
  await shows(panel().locator(".way dl"), /now250\/s\s*the end410\/s\s*its range360\/s to 470\/s/);

  const place = async (mark) => Number.parseFloat(await panel().locator(`.track .${mark}`).evaluate((e) => e.style.left));
  const [now, low, end] = [await place("now"), await place("range"), await place("end")];
  assert.ok(0 < now && now < low && low < end && end < 100, `${now} ${low} ${end}`);

  await shows(panel().locator(".evidence"), "2.5 of 4 connections are in usepool.busy shop/web");
  const courses = panel().locator(".course[role=img]");
  await courses.nth(1).locator("canvas").waitFor();
  assert.match(await courses.nth(1).getAttribute("aria-label"), /About pool.wait_p95., last ten minutes; now .*s, at most 3.5.s/);
});

test("the one thing to do has its gain, its price in four terms and its lines", async () => {
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await open();
  const first = advice("pool_size:shop/web");
  await shows(first, "12 connections for shop");
  await shows(first, "GainThe pool is exhausted at 1230 instead of 410 a second");
  for (const term of ["Complexitynone", "Stalenessnone", "Moneymemory of the", "Operationsthe sum of all pools"]) {
    await shows(first.locator("dl"), term);
  }
  await first.getByRole("button", { name: "Copy" }).click();
  await shows(first.getByRole("status"), "Copied");
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), "[postgres.databases.shop]\npool_size = 12\n");

  await panel().getByText("1 more piece of advice").click();
  await shows(advice("replicas:shop"), "Deepwater does not send reads to replicas yet");
  await panel().getByText("What else was considered: 1 cannot be told, 1 not needed").click();
  await shows(panel().locator(".do"), /Not needed\s*concurrency limit: Every pool of targets has a limit already/);
  await shows(panel().locator(".do"), /Cannot be told yet\s*partitioning: No query has been seen yet/);
});

test("without the clipboard the lines are selected", async () => {
  await page.addInitScript(() => Object.defineProperty(navigator, "clipboard", { value: undefined }));
  await open();
  const first = advice("pool_size:shop/web");
  await first.getByRole("button", { name: "Copy" }).click();
  await shows(first.getByRole("status"), "Selected");
  assert.match(await page.evaluate(() => String(getSelection())), /pool_size = 12/);
});

test("advice is dismissed with a reason, and restored", async () => {
  await open();
  await advice("pool_size:shop/web").getByRole("button", { name: "Dismiss" }).click();
  const dialog = page.getByRole("dialog");
  const reason = dialog.getByLabel("Why is it not wanted?");
  await dialog.getByRole("button", { name: "Dismiss" }).click();
  await reason.fill("   ");
  await dialog.getByRole("button", { name: "Dismiss" }).click();
  assert.equal(server.commands.length, 0, "not without a reason");
  await shows(dialog, "A restart forgets it");

  await reason.fill(" we grow next week ");
  await dialog.getByRole("button", { name: "Dismiss" }).click();
  await dialog.waitFor({ state: "detached" });
  assert.equal(server.commands[0].path, "/api/advice/pool_size%3Ashop%2Fweb/dismiss");
  assert.equal(server.commands[0].headers["x-deepwater"], "1");
  assert.deepEqual(server.commands[0].asked, { reason: "we grow next week" });
  await shows(panel().locator("article").first(), "A replica for reads of shop");

  await panel().getByText("1 piece was dismissed").click();
  await shows(advice("pool_size:shop/web"), "“we grow next week”");
  await panel().getByRole("button", { name: "Restore 12 connections" }).click();
  await shows(panel().locator("article").first(), "12 connections for shop");
  assert.equal(server.commands[1].path, "/api/advice/pool_size%3Ashop%2Fweb/restore");
});

test("where dismissals are kept nobody is warned that they are not", async () => {
  server.advice = { ...server.advice, kept: true };
  await open();
  await advice("pool_size:shop/web").getByRole("button", { name: "Dismiss" }).click();
  const dialog = page.getByRole("dialog");
  await shows(dialog, "until somebody restores it");
  assert.ok(!(await dialog.textContent()).includes("A restart forgets it"));
});

test("a dismissal that fails says why and keeps the reason", async () => {
  server.commandStatus = 404;
  await open();
  await advice("pool_size:shop/web").getByRole("button", { name: "Dismiss" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Why").fill("no");
  await page.keyboard.press("Enter");
  await shows(dialog.getByRole("alert"), "there is no such target");
  assert.equal(await dialog.getByLabel("Why").inputValue(), "no");
});

test("that nothing is needed is an answer", async () => {
  server.cliffs = "none";
  server.advice = { summary: "you need nothing now: no cliff is in sight", advice: [], considered: [], applied: [] };
  await open();
  await shows(verdict(), "● clear No cliff is in sight");
  await shows(panel().locator(".nothing"), "You need nothing now: no cliff is in sight.");
  assert.equal(await panel().locator(".track").count(), 0, "there is no way to nowhere");
  assert.equal(await panel().getByText("Predicted and measured").count(), 0);
});

test("what presses now is shown as what is in use", async () => {
  server.cliffs = "pressing";
  await open();
  await shows(verdict(), "✕ over The cores of this machine are used up: 2.0 of 2.0 cores are at work");
  assert.match(await track().getAttribute("aria-label"), /^In use: now 2.0 cores, the end at 2 cores$/);
});

test("a cliff in time tells when", async () => {
  server.cliffs = "in_time";
  await open();
  await shows(panel().locator(".within"), /In 3.d, or anywhere from 2.d 7.h to 4.d 15.h, whatever the load/);
  assert.match(await track().getAttribute("aria-label"), /^In use: now 1.7.GiB, the end at 3.7.GiB$/);
});

test("nothing is green while answers are errors", async () => {
  server.cliffs = "failing";
  await open();
  await shows(verdict(), "◐ watch 100 % of answers are errors");
});

test("what cannot be told is grey and says so, never green", async () => {
  await open();
  await verdict().waitFor();
  await panel().getByText("All cliffs").click();
  const clear = await style(panel().locator(".state-clear").first(), "color");
  for (const [state, words] of [["cannot_tell", "Cannot tell yet: needs more time"], ["nothing_served", "No load was measured yet"]]) {
    server.cliffs = state;
    await shows(verdict(), words);
    await shows(verdict(), "○ unknown");
    const colour = await style(verdict().locator(".state"), "color");
    assert.notEqual(colour, clear);
    assert.equal(colour, await style(page.locator(".tile dt").first(), "color"), "the quiet colour");
    assert.equal(await panel().locator(".track").count(), 0);
  }
  const unknowns = panel().locator(".unknowns");
  await shows(unknowns, "What is not known, and why: 1");
  assert.ok(await unknowns.getByText("The server of database \"shop\" cannot be asked").isVisible(), "unfolded: it is all there is to say");

  server.cliffs = "forecast";
  await shows(verdict(), "watch");
  const folded = unknowns.getByText("Cannot tell yet when the network link is full");
  assert.ok(!(await folded.isVisible()), "folded: there is more to see");
  await panel().getByText("What is not known, and why: 2").click();
  assert.ok(await folded.isVisible());
  assert.equal(await unknowns.locator("dt").first().textContent(), "○ Network link");
});

test("all cliffs are rows that can be folded, and stay as they were left", async () => {
  await open();
  await shows(panel().locator("summary"), "All cliffs: 1 watch, 2 clear, 1 unknown");
  assert.ok(!(await row("cpu:machine").isVisible()), "folded at first");
  await panel().getByText("All cliffs").click();
  const cell = (id, title) => row(id).locator(`[data-title="${title}"]`);
  assert.match(await row("cpu:machine").textContent(), /CPUmachine/);
  await shows(cell("connection_pool:shop/web", "Level"), "◐ watch");
  await shows(cell("connection_pool:shop/web", "In use"), "2.5 connectionsof 4 connections");
  await shows(cell("connection_pool:shop/web", "Reached at"), "410/s360/s – 470/s");
  await shows(cell("memory:app", "Reached at"), /in 3.d/);
  await shows(cell("cpu:machine", "Reached at"), "–");
  await shows(cell("network:link", "In words"), "Cannot tell yet when the network link is full");
  server.cliffs = "pressing";
  await shows(cell("cpu:machine", "Level"), "✕ over");
  assert.ok(await row("cpu:machine").isVisible(), "not folded again by what is new");
});

test("advice that was followed is held against what was predicted", async () => {
  await open();
  const followed = panel().getByRole("table", { name: "Advice that was followed" });
  await shows(followed, /A limit for app.*2.1.s120.ms131.msseconds for 95 % of requests/);
  await shows(followed, /8 connections for jobs.*90180measuring …per second/);
});

test("a lens that is off has no panel", async () => {
  server.planes.delete("lens");
  await open();
  await row("0 /api/*").waitFor();
  assert.equal(await panel().count(), 0);
  await page.waitForResponse(/api\/edge\/routes/);
  assert.deepEqual(complaints, []);
});

test("levels differ in shape, word and colour, in the light and in the dark", async () => {
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    server.cliffs = "forecast";
    await open();
    const seen = new Map();
    for (const state of ["forecast", "pressing", "none", "cannot_tell"]) {
      server.cliffs = state;
      const level = { forecast: "watch", pressing: "over", none: "clear", cannot_tell: "unknown" }[state];
      await shows(verdict(), level);
      seen.set(level, [await verdict().locator(".state > span").textContent(), await style(verdict().locator(".state"), "color")]);
    }
    for (const part of [0, 1]) assert.equal(new Set([...seen.values()].map((of) => of[part])).size, 4, JSON.stringify([...seen]));
  }
});

test("nothing moves for whoever wants no motion", async () => {
  await page.emulateMedia({ reducedMotion: "reduce" });
  await open();
  assert.equal(await style(panel().locator(".track .now"), "transitionDuration"), "0s");
  await page.emulateMedia({ reducedMotion: "no-preference" });
  assert.notEqual(await style(panel().locator(".track .now"), "transitionDuration"), "0s");
});

test("it fits into 400 pixels with everything unfolded, and keeps to the policy", async () => {
  await page.setViewportSize({ width: 400, height: 800 });
  await open();
  await panel().locator(".course canvas").first().waitFor();
  for (const fold of await panel().locator("summary").all()) await fold.click();
  await shows(panel().locator(".unknowns"), "cannot be asked");
  const wide = await page.evaluate(() =>
    [...document.querySelectorAll("#cliffs *")]
      .filter((element) => element.getBoundingClientRect().right > innerWidth + 1 && !element.closest("thead, pre"))
      .map((element) => element.outerHTML.slice(0, 120)),
  );
  assert.deepEqual(wide, []);
  assert.deepEqual(complaints, []);
});

test("the whole page stays within its budget", () => {
  const html = readFileSync(new URL("../../crates/lens/src/console/console.html", import.meta.url));
  const bytes = gzipSync(html).length;
  assert.ok(bytes < 100_000, `${bytes} bytes, compressed`);
});

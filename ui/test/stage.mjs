// What every test begins with: the page in a browser, in front of a stand-in server of its own.

import { after, afterEach, before, beforeEach } from "node:test";
import { launch } from "./browser.mjs";
import { Fixture } from "./fixture.mjs";

let browser;
export let server;
export let page;
/** Everything the page complained of. */
export let complaints;

before(async () => (browser = await launch()));
after(() => browser?.close());

beforeEach(async () => {
  server = new Fixture();
  await server.start();
  page = await (await browser.newContext({ viewport: { width: 1400, height: 1000 } })).newPage();
  page.setDefaultTimeout(15_000);
  complaints = [];
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
});

afterEach(async () => {
  await page.context().close();
  await server.stop();
});

export const open = () => page.goto(server.url);
export const row = (name) => page.locator(`tr[data-row="${name}"]`);
export const tile = (signal) => page.locator(`[data-signal="${signal}"] dd`);
export const number = async (locator) => Number.parseFloat((await locator.textContent()).replaceAll(",", ""));
/** Waits until the text of an element matches. */
export const shows = (locator, text) => locator.filter({ hasText: text }).first().waitFor();


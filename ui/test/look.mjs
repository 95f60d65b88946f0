// Pictures of the page for the eye: `npm run look -- DIRECTORY [SECONDS]`.

import { launch } from "./browser.mjs";
import { Fixture } from "./fixture.mjs";

const [directory = ".", seconds = "20"] = process.argv.slice(2);
const server = new Fixture();
await server.start();
const browser = await launch();
const looks = {
  light: { viewport: { width: 1440, height: 900 }, colorScheme: "light" },
  dark: { viewport: { width: 1440, height: 900 }, colorScheme: "dark" },
  narrow: { viewport: { width: 400, height: 860 }, colorScheme: "light", deviceScaleFactor: 2 },
};
await Promise.all(
  Object.entries(looks).map(async ([name, look]) => {
    const page = await browser.newPage(look);
    await page.goto(server.url);
    await page.waitForTimeout(Number(seconds) * 1_000);
    await page.screenshot({ path: `${directory}/${name}.png`, fullPage: true });
    if (name !== "narrow") return;
    await page.getByRole("button", { name: "Drain 127.0.0.1:3001" }).click();
    await page.screenshot({ path: `${directory}/dialog.png` });
  }),
);
await browser.close();
await server.stop();

// `make screenshots`: a picture of every page, in light and dark, wide and narrow.
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { launch, open } from "./browser.mjs";
import { makeSamples, places } from "./samples.mjs";
import { Server } from "./server.mjs";
import { fillCart, settled } from "./settled.mjs";

const OUT = process.env.SCREENSHOTS ?? new URL("../../docs/screenshots", import.meta.url).pathname;
const SIZES = { wide: { width: 1440, height: 900 }, narrow: { width: 360, height: 780 } };

/** The home page after some seconds in which something happened. */
async function homeLives(page) {
  await page.getByText(/connections/).waitFor();
  for (let second = 0; second < 6; second++) {
    await page.evaluate((calls) => Promise.all(Array.from({ length: calls }, () => fetch("/api/v1/profiles?limit=5"))), 20 + 15 * ((second * 7) % 5));
    // Figures come once a second: the curve needs traffic in several of them, and there is no event to wait for.
    await page.waitForTimeout(900);
  }
}

rmSync(OUT, { recursive: true, force: true });
mkdirSync(OUT, { recursive: true });
const server = await new Server().start();
const browser = await launch();
try {
  const made = await makeSamples(server);
  for (const [size, viewport] of Object.entries(SIZES)) {
    for (const colorScheme of ["light", "dark"]) {
      const { page, context } = await open(browser, server, { viewport, colorScheme, reducedMotion: "reduce" });
      await fillCart(page, made.products[4]);
      for (const [name, path] of Object.entries(places(made))) {
        await page.goto(path);
        await settled(page);
        if (name === "home") await homeLives(page);
        await page.screenshot({ path: join(OUT, `${name}-${size}-${colorScheme}.png`), fullPage: size === "narrow" });
      }
      await context.close();
    }
  }
} finally {
  await browser.close();
  await server.remove();
}

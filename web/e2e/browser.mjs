// Debian's Chromium, and pages that fail a test when they ask another origin, throw, or break the policy of the server.
import { existsSync } from "node:fs";
import { chromium } from "playwright-core";

const PLACES = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

export function launch() {
  const executablePath = PLACES.find((path) => path && existsSync(path));
  if (!executablePath) throw new Error("Chromium is missing: install Debian's package `chromium`, or name another one with CHROMIUM");
  // The tests may run as root, where Chromium's own sandbox does not work.
  return chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"] });
}

/** A page of its own, with its own cookies. `faults` collects what no page may do. */
export async function open(browser, server, options = {}) {
  const context = await browser.newContext({ baseURL: server.address, viewport: { width: 1440, height: 900 }, locale: "en", timezoneId: "UTC", ...options });
  const page = await context.newPage();
  const faults = [];
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(server.address) && !url.startsWith("data:") && !url.startsWith("blob:")) faults.push(`a request left the origin: ${url}`);
  });
  page.on("pageerror", (error) => faults.push(`the page threw: ${error.message}`));
  page.on("console", (message) => {
    const text = message.text();
    if (/Content Security Policy/i.test(text)) faults.push(text);
  });
  page.setDefaultTimeout(15_000);
  return { page, context, faults };
}

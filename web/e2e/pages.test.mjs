// Every page: reachable, without an accessibility fault, in light and dark, wide and narrow, and by keyboard.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { launch, open } from "./browser.mjs";
import { makeSamples, places } from "./samples.mjs";
import { Server } from "./server.mjs";
import { fillCart, settled } from "./settled.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
let server, browser, made;

before(async () => {
  server = await new Server().start();
  made = await makeSamples(server);
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await server?.remove();
});

for (const [size, viewport] of Object.entries({ wide: { width: 1440, height: 900 }, narrow: { width: 360, height: 780 } })) {
  for (const colorScheme of ["light", "dark"]) {
    test(`no page has a serious accessibility fault, ${size} and ${colorScheme}`, async () => {
      const { page, context, faults } = await open(browser, server, { viewport, colorScheme, reducedMotion: "reduce", bypassCSP: false });
      await fillCart(page, made.products[4]);
      const found = [];
      for (const [name, path] of Object.entries(places(made))) {
        await page.goto(path);
        await settled(page);
        // Not as a script of the page, which its policy would refuse.
        await page.evaluate(axe);
        const { violations } = await page.evaluate(() => globalThis.axe.run({ resultTypes: ["violations"] }));
        for (const { id, impact, nodes } of violations) {
          if (impact === "serious" || impact === "critical") found.push(`${name}: ${id}: ${nodes.map((node) => node.html.slice(0, 120)).slice(0, 3).join(" | ")}`);
        }
        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        if (overflow > 0) found.push(`${name}: is ${overflow} pixels too wide`);
      }
      assert.deepEqual([...found, ...faults], []);
      await context.close();
    });
  }
}

test("the tab key reaches every control of every page, and shows where it is", async () => {
  const { page, context } = await open(browser, server, { reducedMotion: "reduce" });
  const lost = [];
  for (const [name, path] of Object.entries(places(made))) {
    await page.goto(path);
    await settled(page);
    const wanted = await page.evaluate(() => {
      const controls = [...document.querySelectorAll("a[href], button, input, select, textarea")];
      const seen = controls.filter((it) => !it.disabled && !it.hidden && it.checkVisibility({ visibilityProperty: true }));
      seen.forEach((it, index) => it.setAttribute("data-walked", String(index)));
      return seen.length;
    });
    const reached = new Set();
    for (let steps = 0; steps < wanted * 2 + 20 && reached.size < wanted; steps++) {
      await page.keyboard.press("Tab");
      const here = await page.evaluate(() => {
        const at = document.activeElement;
        const style = getComputedStyle(at);
        return { index: at.getAttribute("data-walked"), visible: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0, html: at.outerHTML.slice(0, 80) };
      });
      if (here.index === null) continue;
      reached.add(here.index);
      if (!here.visible) lost.push(`${name}: no focus is shown on ${here.html}`);
    }
    if (reached.size < wanted) lost.push(`${name}: ${reached.size} of ${wanted} controls are reached`);
  }
  assert.deepEqual(lost, []);
  await context.close();
});

test("keys search, go to other pages, and show themselves", async () => {
  const { page, context, faults } = await open(browser, server);
  await page.goto("/");
  await settled(page);
  await page.keyboard.press("g");
  await page.keyboard.press("p");
  await page.waitForURL("**/profiles");
  await page.getByRole("heading", { name: "Profiles" }).waitFor();
  await page.keyboard.press("/");
  await page.keyboard.type("Ada Lov");
  await page.waitForURL("**/profiles?q=Ada+Lov");
  await page.getByRole("link", { name: "Ada Lovelace" }).waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("heading", { name: "Profiles" }).click();
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keys" }).waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog", { name: "Keys" }).waitFor({ state: "detached" });
  assert.deepEqual(faults, []);
  await context.close();
});

test("markup in the texts of things is shown as text on every page", async () => {
  const evil = `<img src=x onerror="globalThis.struck=1"><script>globalThis.struck=1</script>`;
  const profile = await server.api("POST", "/api/v1/profiles", { name: evil, email: "evil@example.org", bio: evil });
  const customer = await server.api("POST", "/api/v1/customers", { name: evil, email: "evil@example.org", metadata: { note: evil } });
  const product = (await server.api("POST", "/api/products", { name: evil, price: 1, category: "<b>bold</b>", brand: evil, description: evil, tags: ["<i>x</i>"], stockQuantity: 1 })).data;
  const assessment = await server.api("POST", "/api/v1/assess", { business_name: evil, business_address: evil, industry: "retail", country: "CH" });
  await server.api("POST", "/api/v1/lists", { name: evil, kind: "watch" });
  const webhook = await server.api("POST", "/api/v1/webhooks", { name: evil, url: "http://127.0.0.1:9/", events: ["customer_created"] });
  const [first] = (await server.api("GET", "/api/v1/cases?status=open")).cases;
  await server.api("POST", `/api/v1/cases/${first.id}/notes`, { note: evil });
  const pages = [
    "/profiles", `/profiles/${profile.id}`, "/customers", `/customers/${customer.id}`, "/commerce", `/commerce/${product.id}`, "/shop", `/shop/products/${product.id}`,
    "/risk", `/risk/assessments/${assessment.id}`, "/risk/cases", `/risk/cases/${first.id}`, "/risk/lists", "/webhooks", `/webhooks/${webhook.webhook_id}`,
  ];
  const { page, context, faults } = await open(browser, server);
  await page.goto(`/shop/products/${product.id}`);
  await page.getByRole("button", { name: "Put into the cart" }).click();
  await page.getByText("is in your cart").waitFor();
  for (const path of [...pages, "/shop/cart"]) {
    await page.goto(path);
    await settled(page);
    const shown = await page.evaluate(() => ({ text: document.body.innerText, values: [...document.querySelectorAll("input, textarea")].map((it) => it.value).join(" "), struck: globalThis.struck }));
    assert.equal(shown.struck, undefined, path);
    assert.ok(shown.text.includes(evil) || shown.values.includes(evil), `${path} does not show it`);
  }
  assert.deepEqual(faults, []);
  await context.close();
});

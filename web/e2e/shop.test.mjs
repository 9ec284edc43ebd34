// What people do in the shop.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, open } from "./browser.mjs";
import { makeSamples } from "./samples.mjs";
import { Server } from "./server.mjs";
import { fillCart, settled } from "./settled.mjs";

const PHONE = { viewport: { width: 360, height: 780 }, colorScheme: "dark", reducedMotion: "reduce" };
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

for (const [name, options] of Object.entries({ "a desk": {}, "a phone in the dark": PHONE })) {
  test(`a guest finds a product and puts it into the cart, on ${name}`, async () => {
    const { page, context, faults } = await open(browser, server, options);
    await page.goto("/shop");
    await settled(page);
    await page.keyboard.press("/");
    await page.keyboard.type("blanket");
    await page.keyboard.type("x");
    await page.getByText("Nothing matches").waitFor();
    await page.getByRole("button", { name: "Show everything" }).click();
    await page.waitForFunction(() => document.querySelectorAll(".shelf li").length === 8);
    await page.keyboard.press("/");
    await page.keyboard.type("blanket");
    await page.waitForFunction(() => document.querySelectorAll(".shelf li").length === 1);
    await page.getByRole("link", { name: /Wool blanket/ }).click();
    await page.getByRole("button", { name: "Put into the cart" }).dblclick();
    await page.getByRole("link", { name: "Cart, 1 thing", exact: true }).click();
    await page.getByRole("button", { name: "One more of Wool blanket" }).click();
    await page.getByText("$178.00").first().waitFor();
    await page.reload();
    await page.getByText("$178.00").first().waitFor();
    await page.getByRole("button", { name: "Take Wool blanket out" }).click();
    await page.getByText("Your cart is empty").waitFor();
    assert.deepEqual(faults, []);
    await context.close();
  });
}

test("a quantity that the server refuses is taken back, and the page says why", async () => {
  const { page, context } = await open(browser, server);
  await fillCart(page, made.products[4]);
  await page.goto("/shop/cart");
  const more = page.getByRole("button", { name: "One more of Wool blanket" });
  for (const quantity of [2, 3]) {
    await more.click();
    await page.getByRole("group", { name: "Quantity of Wool blanket" }).getByText(String(quantity), { exact: true }).waitFor();
  }
  await more.click();
  await page.getByRole("alert").waitFor();
  await page.getByRole("group", { name: "Quantity of Wool blanket" }).getByText("3", { exact: true }).waitFor();
  await context.close();
});

test("an add that gets no answer while the server is killed happens once when it is back", async () => {
  const { page, context } = await open(browser, server);
  await page.goto(`/shop/products/${made.products[0].id}`);
  await settled(page);
  await server.kill();
  await page.getByRole("button", { name: "Put into the cart" }).click();
  await server.start();
  await page.getByRole("link", { name: "Cart, 1 thing", exact: true }).click();
  await page.getByRole("button", { name: "One more of Teapot" }).waitFor();
  await page.reload();
  await page.getByRole("link", { name: "Cart, 1 thing", exact: true }).waitFor();
  await context.close();
});

async function checkOut(page, product) {
  await fillCart(page, product);
  await page.goto("/shop/cart");
  await page.getByRole("link", { name: "To the checkout" }).click();
  const fields = {
    Name: "Ann Example", "Street and number": "1 Elm Street", "Postal code": "62701", City: "Springfield", "State or region": "IL",
    "Country, in two letters": "US", "Card number": "4111111111111111", Month: "12", Year: "2030",
  };
  for (const [label, text] of Object.entries(fields)) await page.getByLabel(label, { exact: true }).fill(text);
}

test("a guest buys with a double click, once, and gets the money back", async () => {
  const { page, context, faults } = await open(browser, server);
  await checkOut(page, made.products[0]);
  await page.getByRole("button", { name: "Buy now" }).click();
  await page.getByText("Must have 3 to 4 digits").or(page.getByText("Is required")).first().waitFor();
  await page.getByLabel("Security code").fill("123");
  await page.getByRole("button", { name: "Buy now" }).dblclick();
  await page.getByRole("status").getByText("Paid").waitFor();
  await page.getByRole("link", { name: "Cart, 0 things", exact: true }).waitFor();
  await page.getByRole("link", { name: "Orders", exact: true }).click();
  await page.getByRole("link", { name: "Teapot of red clay" }).waitFor();
  assert.equal(await page.getByRole("link", { name: "Teapot of red clay" }).count(), 1);
  await page.getByRole("link", { name: "Teapot of red clay" }).click();
  await page.getByRole("button", { name: "Cancel the order" }).click();
  await page.getByRole("status").getByText("Refunded").waitFor();
  // The refusal of the first click is a request that failed, which the browser writes down.
  assert.deepEqual(faults.filter((fault) => !fault.includes("400")), []);
  await context.close();
});

test("a checkout whose server is killed is one order when it is back", async () => {
  const { page, context } = await open(browser, server);
  await checkOut(page, made.products[2]);
  await page.getByLabel("Security code").fill("123");
  await server.kill();
  await page.getByRole("button", { name: "Buy now" }).click();
  await server.start();
  await page.getByRole("status").getByText("Paid").waitFor();
  await page.getByRole("link", { name: "Orders", exact: true }).click();
  await page.getByRole("link", { name: "Cast iron pan, 26 cm" }).waitFor();
  assert.equal(await page.getByRole("link", { name: "Cast iron pan, 26 cm" }).count(), 1);
  await context.close();
});

test("a person who is offline is told so", async () => {
  const { page, context } = await open(browser, server);
  await page.goto("/shop");
  await settled(page);
  await context.setOffline(true);
  await page.getByText("You are offline").waitFor();
  await context.setOffline(false);
  await page.getByText("You are offline").waitFor({ state: "detached" });
  await context.close();
});

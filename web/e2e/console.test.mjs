// What people do in the console.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { execFileSync } from "node:child_process";
import { launch, open } from "./browser.mjs";
import { makeSamples } from "./samples.mjs";
import { Server } from "./server.mjs";
import { settled } from "./settled.mjs";

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

test("the commands of the home page work as they stand", async () => {
  const { page, context, faults } = await open(browser, server);
  await page.goto("/");
  await settled(page);
  const commands = await page.locator(".command pre").allTextContents();
  assert.equal(commands.length, 3);
  const outputs = commands.map((command) => execFileSync("sh", ["-c", command], { encoding: "utf8" }));
  assert.match(outputs[0], /"name":"Ada"/);
  assert.match(outputs[1], /"name":"Ada"/);
  assert.match(outputs[2], /"status":"healthy"/);
  assert.deepEqual(faults, []);
  await context.close();
});

test("the button for sample data makes it once, however often it is pressed", async () => {
  const { page, context, faults } = await open(browser, server);
  const total = async () => (await server.api("GET", "/api/products?size=1")).pagination.totalElements;
  const before = await total();
  for (const added of [8, 8]) {
    await page.goto("/");
    await page.getByRole("button", { name: "Make sample data" }).click();
    await page.getByText("8 products, 6 customers and 3 assessments were made.").waitFor();
    assert.equal((await total()) - before, added);
  }
  assert.deepEqual(faults, []);
  await context.close();
});

test("live figures come back after the server was away", async () => {
  const { page, context } = await open(browser, server);
  await page.goto("/");
  await page.getByText(/connections/).waitFor();
  await server.kill();
  await page.getByText("does not send figures at the moment").waitFor();
  await server.start();
  await page.getByText("does not send figures at the moment").waitFor({ state: "detached", timeout: 30_000 });
  await context.close();
});

test("a profile is made once though its button is pressed twice, and bad fields are named", async () => {
  const { page, context, faults } = await open(browser, server);
  await page.goto("/profiles");
  await page.getByRole("button", { name: "New profile" }).click();
  await page.getByLabel("Name", { exact: true }).fill("Grace Hopper");
  await page.getByLabel("E-mail").fill("nobody");
  await page.getByRole("button", { name: "Make the profile" }).click();
  await page.locator(".fault").waitFor();
  await page.getByLabel("E-mail").fill("grace@example.org");
  await page.getByRole("button", { name: "Make the profile" }).dblclick();
  await page.getByRole("heading", { name: "Grace Hopper" }).waitFor();
  const found = await server.api("GET", "/api/v1/profiles?email=grace@example.org");
  assert.equal(found.length, 1);
  assert.deepEqual(faults, []);
  await context.close();
});

test("a conflict shows both versions, and a person chooses", async () => {
  const { page, context, faults } = await open(browser, server);
  const profile = await server.api("POST", "/api/v1/profiles", { name: "Alan Turing", email: "alan@example.org" });
  await page.goto(`/profiles/${profile.id}`);
  await page.getByLabel("Text", { exact: true }).fill("Likes long runs.");
  await server.api("PUT", `/api/v1/profiles/${profile.id}`, { bio: "Likes chess." });
  await page.getByRole("button", { name: "Save", exact: true }).click();
  const versions = page.getByRole("group", { name: "Two versions" });
  await versions.waitFor();
  assert.match(await versions.textContent(), /Likes long runs\..*Likes chess\./s);
  await page.getByRole("button", { name: "Save mine over it" }).click();
  await page.getByText("Saved.").waitFor();
  const { profile: now } = await server.api("GET", `/api/v1/profiles/${profile.id}`);
  assert.equal(now.bio, "Likes long runs.");
  assert.deepEqual(faults, []);
  await context.close();
});

test("a profile is deleted, restored and erased with a receipt", async () => {
  const { page, context, faults } = await open(browser, server);
  const profile = await server.api("POST", "/api/v1/profiles", { name: "Kurt Gödel", email: "kurt@example.org" });
  await page.goto(`/profiles/${profile.id}`);
  await page.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await page.getByText("This profile was deleted").waitFor();
  await page.getByRole("button", { name: "Restore it" }).click();
  await page.getByRole("heading", { name: "Kurt Gödel" }).waitFor();
  await page.getByRole("button", { name: "Erase" }).click();
  await page.getByLabel(/Type the e-mail/).fill("kurt@example.org");
  await page.getByRole("button", { name: "Erase for ever" }).click();
  await page.getByText("This is the receipt").waitFor({ timeout: 30_000 });
  assert.deepEqual(faults, []);
  await context.close();
});

test("an image is sent, shown in a smaller copy, and removed", async () => {
  const { page, context, faults } = await open(browser, server);
  await page.goto(`/profiles/${made.profile.id}`);
  await settled(page);
  const buffer = await page.screenshot();
  await page.locator("input[type=file]").setInputFiles({ name: "me.png", mimeType: "image/png", buffer });
  const image = page.getByRole("img", { name: /Image 1/ });
  await image.waitFor({ timeout: 30_000 });
  await page.waitForFunction(() => document.querySelector(".gallery img")?.naturalWidth > 0);
  await page.getByRole("button", { name: "Remove image 1" }).click();
  await page.getByRole("button", { name: "Remove", exact: true }).click();
  await image.waitFor({ state: "detached" });
  assert.deepEqual(faults, []);
  await context.close();
});

test("customers are imported after a preview, and refused lines are named", async () => {
  const { page, context, faults } = await open(browser, server);
  await page.goto("/customers/import");
  await settled(page);
  const file = "name,email,phone\nIda Rhodes,ida@example.org,\nNobody,not-an-address,\n";
  await page.locator("input[type=file]").setInputFiles({ name: "people.csv", mimeType: "text/csv", buffer: Buffer.from(file) });
  await page.getByRole("button", { name: "Import 2 customers" }).click();
  await page.getByText("Created: 1. Refused: 1.").waitFor();
  await page.getByText(/Line 3/).waitFor();
  assert.deepEqual(faults, []);
  await context.close();
});

test("a business is assessed, and its bars add up to its score", async () => {
  const { page, context, faults } = await open(browser, server);
  await page.goto("/risk");
  await page.getByRole("button", { name: "Assess a business" }).first().click();
  await page.getByLabel("Name", { exact: true }).fill("Quiet Meadow Bakery");
  await page.getByLabel("Address", { exact: true }).fill("Mill Lane 4, Oxford OX1 2JD");
  await page.getByLabel("Country").fill("gb");
  await page.getByRole("button", { name: "Assess", exact: true }).click();
  await page.getByRole("heading", { name: "Quiet Meadow Bakery" }).waitFor();
  await page.getByText("Together").waitFor();
  const amounts = await page.locator(".bar .amount").allTextContents();
  const numbers = amounts.map((text) => Number(text.replace("−", "-")));
  const total = numbers.pop();
  const sum = numbers.reduce((one, other) => one + other, 0);
  assert.ok(Math.abs(sum - total) < 0.0005 * (numbers.length + 1), `${sum} is not ${total}`);
  await page.getByRole("button", { name: "Make it again" }).click();
  await page.getByText("The same, byte for byte.").waitFor();
  assert.deepEqual(faults, []);
  await context.close();
});

test("a movement of stock is in the ledger", async () => {
  const { page, context, faults } = await open(browser, server);
  await page.goto(`/commerce/${made.products[1].id}`);
  await page.getByLabel("Units").fill("5");
  await page.getByLabel("Reason").fill("a delivery");
  await page.getByRole("button", { name: "Note the movement" }).click();
  await page.getByText("40 → 45 to sell").waitFor();
  assert.deepEqual(faults, []);
  await context.close();
});

test("a webhook shows the delivery that failed, and sends it again", async () => {
  const { page, context, faults } = await open(browser, server);
  await page.goto(`/webhooks/${made.webhook.webhook_id}?status=dead`);
  await page.getByRole("button", { name: /^Look at/ }).first().waitFor({ timeout: 30_000 });
  await page.getByRole("button", { name: /^Look at/ }).first().click();
  await page.getByRole("dialog", { name: "Delivery" }).getByText("profile_created").waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: /^Send again: dlv_/ }).first().click();
  await page.getByText("It is sent again.").waitFor();
  assert.deepEqual(faults, []);
  await context.close();
});

test("a queue is paused and resumed", async () => {
  const { page, context, faults } = await open(browser, server);
  await page.goto("/jobs");
  await page.getByRole("button", { name: "Pause exports" }).click();
  await page.getByRole("button", { name: "Resume exports" }).click();
  await page.getByRole("button", { name: "Pause exports" }).waitFor();
  assert.deepEqual(faults, []);
  await context.close();
});

// The console where callers have to say who they are.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, open } from "./browser.mjs";
import { Server } from "./server.mjs";

let server, browser, password;

before(async () => {
  server = await new Server('[auth]\nmode = "required"\n').start();
  password = server.run("operators", "add", "ann", "--role", "admin", "--generate").trim();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await server?.remove();
});

async function logIn(page, word = password) {
  await page.getByLabel("Name", { exact: true }).fill("ann");
  await page.getByLabel("Password").fill(word);
  await page.getByRole("button", { name: "Log in" }).click();
}

test("a person logs in, changes something, sees live figures, and logs out", async () => {
  const { page, context, faults } = await open(browser, server);
  await page.goto("/profiles");
  await logIn(page, "not the password");
  await page.getByRole("alert").waitFor();
  await logIn(page);
  await page.getByRole("button", { name: "New profile" }).click();
  await page.getByLabel("Name", { exact: true }).fill("Grace Hopper");
  await page.getByLabel("E-mail").fill("grace@example.org");
  await page.getByRole("button", { name: "Make the profile" }).click();
  await page.getByText("operator:ann").waitFor();
  await page.getByRole("link", { name: "Home" }).click();
  await page.getByText(/connections/).waitFor();
  await page.getByRole("button", { name: "Log ann out" }).click();
  await page.getByRole("heading", { name: "Log in to Pando" }).waitFor();
  assert.deepEqual(faults, []);
  await context.close();
});

test("a form survives a session that ends, and the way in is shown", async () => {
  const { page, context } = await open(browser, server);
  await page.goto("/profiles");
  await logIn(page);
  await page.getByRole("button", { name: "New profile" }).click();
  await page.getByLabel("Name", { exact: true }).fill("Mary Somerville");
  await page.getByLabel("E-mail").fill("mary@example.org");
  await context.clearCookies();
  await page.getByRole("button", { name: "Make the profile" }).click();
  await page.getByText("Your session has ended").waitFor();
  assert.equal(await page.getByLabel("Name", { exact: true }).inputValue(), "Mary Somerville");
  await context.close();
});

// The moment at which a page has what it asked for.
export async function settled(page) {
  await page.locator("h1").first().waitFor();
  await page.waitForFunction(() => !document.querySelector(".skeleton"));
}

export async function fillCart(page, product) {
  await page.goto(`/shop/products/${product.id}`);
  await page.getByRole("button", { name: "Put into the cart" }).click();
  await page.getByText("is in your cart").waitFor();
}

import { expect, test } from "vitest";
import { type Cart, withQuantity } from "./cart.ts";

const line = (id: string, price: number, quantity: number, status = "AVAILABLE") =>
  ({ id, price, quantity, status, subtotal: price * quantity }) as Cart["items"][number];
const cart = { items: [line("a", 0.1, 1), line("b", 29.99, 2), line("c", 5, 1, "UNAVAILABLE")] } as Cart;

test("another quantity changes the sum, which leaves out what cannot be bought", () => {
  const changed = withQuantity(cart, "a", 3);
  expect(changed.totalAmount).toBe(60.28);
  expect(changed.totalItems).toBe(6);
});

test("a quantity of none takes the line away", () => {
  const changed = withQuantity(cart, "b", 0);
  expect(changed.items.map((it) => it.id)).toEqual(["a", "c"]);
  expect(changed.totalAmount).toBe(0.1);
});

/** The checkout: one key for one intention, kept across reloads, so that a double click, a retry and a reload are one order. */

import { useMutation, useQueryClient } from "@tanstack/react-query";
import type { FormEvent } from "react";
import { Link, useLocation } from "wouter";
import { Failure, newKey } from "@pando/client";
import { pando } from "../api.ts";
import { money } from "../format.ts";
import { Button, FormError, TextField, faultOf } from "../ui/controls.tsx";
import { Empty, Loaded } from "../ui/display.tsx";
import { useCart, type Cart } from "./cart.ts";

const KEPT = "checkout";

/** The key of this checkout. It is another one as soon as the cart is another one. */
function keyOf(cart: Cart): string {
  const lines = cart.items.map((line) => `${line.productId} ${line.quantity} ${line.price}`).join("\n");
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? "{}") as { lines?: string; key?: string };
    if (kept.key && kept.lines === lines) return kept.key;
  } catch {
    // What is kept there is not ours.
  }
  const key = newKey();
  sessionStorage.setItem(KEPT, JSON.stringify({ lines, key }));
  return key;
}

export default function CheckoutPage() {
  const cart = useCart();
  return (
    <div className="stack loose">
      <h1>Checkout</h1>
      <Loaded of={cart}>
        {(cart) =>
          cart.items.length === 0 ? (
            <Empty title="Your cart is empty" actions={<Link href="/" className="button primary">Look around</Link>} />
          ) : (
            <Form cart={cart} />
          )
        }
      </Loaded>
    </div>
  );
}

const ADDRESS = [
  { name: "recipient", label: "Name", autoComplete: "name" },
  { name: "street", label: "Street and number", autoComplete: "address-line1" },
  { name: "zipCode", label: "Postal code", autoComplete: "postal-code" },
  { name: "city", label: "City", autoComplete: "address-level2" },
  { name: "state", label: "State or region", autoComplete: "address-level1" },
  { name: "country", label: "Country, in two letters", autoComplete: "country" },
] as const;
const CARD = [
  { name: "cardNumber", label: "Card number", autoComplete: "cc-number", inputMode: "numeric" },
  { name: "expiryMonth", label: "Month", autoComplete: "cc-exp-month", inputMode: "numeric" },
  { name: "expiryYear", label: "Year", autoComplete: "cc-exp-year", inputMode: "numeric" },
  { name: "cvv", label: "Security code", autoComplete: "cc-csc", inputMode: "numeric" },
] as const;

function Form({ cart }: { cart: Cart }) {
  const [, go] = useLocation();
  const queries = useQueryClient();
  const place = useMutation({
    mutationFn: async (form: FormData) => {
      const text = (name: string) => String(form.get(name) ?? "").trim();
      const body = {
        items: cart.items.map(({ productId, quantity, price }) => ({ productId, quantity, price })),
        checkPrices: true,
        shippingAddress: Object.fromEntries(ADDRESS.map(({ name }) => [name, text(name)])),
        paymentMethod: "CREDIT_CARD",
        cardDetails: { ...Object.fromEntries(CARD.map(({ name }) => [name, text(name)])), cardholderName: text("recipient") },
      };
      return (await pando.post("/api/orders", { body: body as never, key: keyOf(cart) })).data;
    },
    onSuccess: async ({ orderId }) => {
      sessionStorage.removeItem(KEPT);
      await pando.delete("/api/cart", {});
      await queries.invalidateQueries({ queryKey: ["cart"] });
      go(`/orders/${orderId}`);
    },
    // A refused order is over: the next attempt is another one. Without an answer, nobody knows.
    onError: (error) => error instanceof Failure && error.status !== 0 && error.status < 500 && sessionStorage.removeItem(KEPT),
  });
  const send = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    if (!place.isPending) place.mutate(new FormData(event.currentTarget));
  };
  const beside = [...ADDRESS.map(({ name }) => `shippingAddress.${name}`), ...CARD.map(({ name }) => `cardDetails.${name}`)];
  return (
    <form className="cart" onSubmit={send} noValidate>
      <div className="stack loose">
        <section className="card stack">
          <h2>Where it goes</h2>
          {ADDRESS.map(({ name, label, ...rest }) => (
            <TextField key={name} name={name} label={label} fault={faultOf(place.error, `shippingAddress.${name}`)} {...rest} />
          ))}
        </section>
        <section className="card stack">
          <h2>How it is paid</h2>
          <p className="soft small">The card goes to the provider of payments. The shop keeps its last four digits.</p>
          {CARD.map(({ name, label, ...rest }) => (
            <TextField key={name} name={name} label={label} fault={faultOf(place.error, `cardDetails.${name}`)} {...rest} />
          ))}
        </section>
      </div>
      <aside className="card stack">
        <h2>Your order</h2>
        <ul className="stack small">
          {cart.items.map((line) => (
            <li key={line.id} className="row between"><span>{line.quantity} × {line.productName}</span><span className="number">{money(line.subtotal, line.currency)}</span></li>
          ))}
        </ul>
        <div className="row between"><strong>Together</strong><span className="price number">{money(cart.totalAmount, cart.currency)}</span></div>
        <FormError error={place.error} fields={beside} />
        <Button type="submit" kind="primary" busy={place.isPending}>Buy now</Button>
      </aside>
    </form>
  );
}

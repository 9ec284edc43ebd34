/** The cart of a guest: changed at once, taken back if the server says no. */

import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link } from "wouter";
import { pando, wordsFor } from "../api.ts";
import { money } from "../format.ts";
import { Button } from "../ui/controls.tsx";
import { Empty, Loaded, Trouble } from "../ui/display.tsx";
import { useCart, useChangeLine, type Cart } from "./cart.ts";

const NOTES: Partial<Record<Cart["items"][number]["status"], string>> = {
  UNAVAILABLE: "Not offered any more; it is not counted.",
  OTHER_CURRENCY: "In another currency than the rest; it is not counted.",
};

export default function CartPage() {
  const cart = useCart();
  return (
    <div className="stack loose">
      <h1>Your cart</h1>
      <Loaded of={cart}>{(cart) => (cart.items.length === 0 ? <Nothing /> : <Lines cart={cart} />)}</Loaded>
    </div>
  );
}

function Nothing() {
  return (
    <Empty title="Your cart is empty" actions={<Link href="/" className="button primary">Look around</Link>}>
      What you put into it stays for a month on this device.
    </Empty>
  );
}

function Lines({ cart }: { cart: Cart }) {
  const { change, error, reset } = useChangeLine();
  const queries = useQueryClient();
  const clear = useMutation({
    mutationFn: () => pando.delete("/api/cart", {}),
    onSettled: () => queries.invalidateQueries({ queryKey: ["cart"] }),
  });
  const trouble = error ?? clear.error;
  return (
    <div className="cart">
      <ul className="card flush">
        {cart.items.map((line) => (
          <li key={line.id} className="line">
            <div className="grow">
              <Link href={`/products/${line.productId}`} className="main">{line.productName}</Link>
              <div className="soft small number">{money(line.price, line.currency)} each</div>
              {line.status === "INSUFFICIENT_STOCK" ? <div className="small"><span className="badge bad">Only {line.availableQuantity} left</span></div> : null}
              {NOTES[line.status] ? <div className="small"><span className="badge warn">{NOTES[line.status]}</span></div> : null}
            </div>
            <div className="stepper" role="group" aria-label={`Quantity of ${line.productName}`}>
              <Button small aria-label={`One less of ${line.productName}`} onClick={() => change(line, line.quantity - 1)}>−</Button>
              <span className="number" aria-live="polite">{line.quantity}</span>
              <Button small aria-label={`One more of ${line.productName}`} onClick={() => change(line, line.quantity + 1)}>+</Button>
            </div>
            <strong className="number subtotal">{money(line.subtotal, line.currency)}</strong>
            <Button small kind="plain" aria-label={`Take ${line.productName} out`} onClick={() => change(line, 0)}>✕</Button>
          </li>
        ))}
      </ul>
      <aside className="card stack">
        <div className="row between"><h2>Together</h2><span className="price number">{money(cart.totalAmount, cart.currency)}</span></div>
        {trouble ? <Trouble error={new Error(wordsFor(trouble))} retry={() => { reset(); clear.reset(); }} /> : null}
        <Link href="/checkout" className="button primary">To the checkout</Link>
        <p className="soft small">Prices and stock are checked again by the server each time that you look.</p>
        <Button busy={clear.isPending} onClick={() => clear.mutate()}>Empty the cart</Button>
      </aside>
    </div>
  );
}

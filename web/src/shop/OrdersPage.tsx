/** The orders of the buyer, the latest first. */

import { Link } from "wouter";
import { pando, type Schemas } from "../api.ts";
import { money } from "../format.ts";
import { Badge, Empty, Loaded, Time } from "../ui/display.tsx";
import { Pager, usePages } from "../ui/pages.tsx";
import { STATES } from "./states.ts";

type Order = Schemas["Order"];

export default function OrdersPage() {
  const orders = usePages<Order>(["orders"], async (cursor, signal) => {
    const { data } = await pando.get("/api/orders/me", { query: { size: 20, cursor } as never, signal });
    const { next, totalElements } = data.pagination as typeof data.pagination & { next?: string | null };
    return { items: data.data as Order[], next, total: totalElements };
  });
  return (
    <div className="stack loose">
      <h1>Your orders</h1>
      <Loaded of={orders}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty title="You have not ordered anything" actions={<Link href="/" className="button primary">Look around</Link>} />
          ) : (
            <ul className="card flush">
              {items.map((order) => (
                <li key={order.id} className="line">
                  <div className="grow">
                    <Link href={`/orders/${order.id}`} className="main">{order.items.map((line) => line.productName).join(", ")}</Link>
                    <div className="soft small"><Time at={order.createdAt} /></div>
                  </div>
                  <Badge tone={STATES[order.status].tone}>{STATES[order.status].label}</Badge>
                  <strong className="number subtotal">{money(order.totalAmount, order.currency)}</strong>
                </li>
              ))}
            </ul>
          )
        }
      </Loaded>
      <Pager of={orders} what="order" />
    </div>
  );
}

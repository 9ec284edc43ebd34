/** One order, as it stands at this moment, with every step that it has taken. */

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "wouter";
import { Failure, newKey } from "@pando/client";
import { pando, wordsFor, type Schemas } from "../api.ts";
import { money } from "../format.ts";
import { Button } from "../ui/controls.tsx";
import { Badge, Empty, Loaded, PageHead, Time } from "../ui/display.tsx";
import { STATES } from "./states.ts";

type Order = Schemas["Order"];

export default function OrderPage({ id }: { id: string }) {
  const order = useQuery({
    queryKey: ["order", id],
    queryFn: async ({ signal }) => (await pando.get("/api/orders/{id}", { path: { id }, signal })).data.data as Order,
    // Until nothing more happens by itself: a cancelled order that was paid gets its money back.
    refetchInterval: ({ state: { data } }) => (data && STATES[data.status].moves && (data.status !== "CANCELLED" || data.paymentId) ? 1_500 : false),
  });
  if (order.error instanceof Failure && [400, 404].includes(order.error.status)) {
    return (
      <>
        <PageHead title="No such order" />
        <Empty title="This order is not yours, or it does not exist" actions={<Link className="button primary" href="/orders">Your orders</Link>} />
      </>
    );
  }
  return <Loaded of={order}>{(order) => <Shown order={order} />}</Loaded>;
}

function Shown({ order }: { order: Order }) {
  const { label, tone, words } = STATES[order.status];
  const reason = order.cancelReason;
  return (
    <div className="stack loose">
      <PageHead title="Your order" crumb={<Link href="/orders">Your orders</Link>} about={words}>
        <span role="status"><Badge tone={tone}>{label}</Badge></span>
      </PageHead>
      {reason ? <div className="notice"><p>{reason}</p></div> : null}
      <div className="cart">
        <ul className="card flush">
          {order.items.map((line) => (
            <li key={line.productId} className="line">
              <div className="grow">
                <Link href={`/products/${line.productId}`} className="main">{line.productName}</Link>
                <div className="soft small number">{line.quantity} × {money(line.price, order.currency)}</div>
              </div>
              <strong className="number subtotal">{money(line.totalPrice, order.currency)}</strong>
            </li>
          ))}
        </ul>
        <aside className="card stack">
          <div className="row between"><h2>Together</h2><span className="price number">{money(order.totalAmount, order.currency)}</span></div>
          {order.trackingNumber ? <p>Parcel <code>{order.trackingNumber}</code></p> : null}
          <ol className="stack small" aria-label="What happened">
            {(order.history ?? []).map((step) => (
              <li key={step.at + step.to}><strong>{STATES[step.to].label}</strong> <span className="soft"><Time at={step.at} /></span></li>
            ))}
          </ol>
          {order.status === "PENDING" || order.status === "CONFIRMED" ? <Cancel order={order} /> : null}
        </aside>
      </div>
    </div>
  );
}

function Cancel({ order }: { order: Order }) {
  const [key] = useState(newKey);
  const queries = useQueryClient();
  const cancel = useMutation({
    mutationFn: () => pando.post("/api/orders/{id}/cancel", { path: { id: order.id }, body: { reason: "cancelled by the buyer" }, key }),
    onSettled: () => queries.invalidateQueries({ queryKey: ["order", order.id] }),
  });
  return (
    <>
      {cancel.error ? <div className="notice bad" role="alert"><p>{wordsFor(cancel.error)}</p></div> : null}
      <Button busy={cancel.isPending} onClick={() => cancel.mutate()}>Cancel the order</Button>
    </>
  );
}

/** The stock of a product, and the ledger that explains it. */

import { useQuery } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { Failure, newKey } from "@pando/client";
import { pando } from "../../api.ts";
import { count, words } from "../../format.ts";
import { Button, ChoiceField, FormError, TextField, faultOf } from "../../ui/controls.tsx";
import { Badge, Loaded, Time } from "../../ui/display.tsx";
import { Pager, usePages } from "../../ui/pages.tsx";

const KINDS = [
  { value: "RESTOCK", label: "Came in" },
  { value: "RETURN", label: "Came back" },
  { value: "DAMAGE", label: "Broke" },
  { value: "ADJUSTMENT", label: "Counted anew" },
] as const;

export function Stock({ id, onChange }: { id: string; onChange: () => Promise<unknown> }) {
  const stock = useQuery({
    queryKey: ["stock", id],
    queryFn: async ({ signal }) => (await pando.get("/api/inventory/{id}", { path: { id }, signal })).data.data,
  });
  const ledger = usePages(["stock", id, "movements"], async (cursor, signal) => {
    const { data } = await pando.get("/api/inventory/{id}/movements", { path: { id }, query: { size: 10, cursor }, signal });
    return { items: data.data, next: (data.pagination as { next?: string }).next };
  });
  return (
    <section className="card stack">
      <h2>Stock</h2>
      <Loaded of={stock} lines={2}>
        {(it) => (
          <dl className="facts">
            <dt>To sell</dt><dd className="number"><strong>{count(it.available)}</strong> {it.lowStock ? <Badge tone="warn">low</Badge> : null}</dd>
            <dt>Reserved</dt><dd className="number">{count(it.reserved)}</dd>
            <dt>Together</dt><dd className="number">{count(it.total)}</dd>
            <dt>Order more at</dt><dd className="number">{count(it.reorderPoint)}</dd>
          </dl>
        )}
      </Loaded>
      <Move id={id} onDone={onChange} />
      <h2>Ledger</h2>
      <Loaded of={ledger} lines={4}>
        {({ items }) => (
          <ol className="timeline">
            {items.map((it) => (
              <li key={it.id}>
                <strong>{words(it.kind)}</strong> <span className="number">{it.quantity > 0 ? "+" : ""}{count(it.quantity)}</span>
                <span className="soft small number"> · {count(it.availableBefore)} → {count(it.availableAfter)} to sell{it.reservedBefore === it.reservedAfter ? "" : `, ${count(it.reservedBefore)} → ${count(it.reservedAfter)} reserved`}</span>
                <div className="soft small">{it.reason ? `${it.reason} · ` : ""}{it.actor} · <Time at={it.createdAt} /></div>
              </li>
            ))}
          </ol>
        )}
      </Loaded>
      <Pager of={ledger} what="movements" />
    </section>
  );
}

function Move({ id, onDone }: { id: string; onDone: () => Promise<unknown> }) {
  const [kind, setKind] = useState<(typeof KINDS)[number]["value"]>("RESTOCK");
  const [quantity, setQuantity] = useState("");
  const [reason, setReason] = useState("");
  const [key, setKey] = useState(newKey);
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const move = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setError(undefined);
    try {
      await pando.post("/api/inventory/movements", { body: { productId: id, kind, quantity: Number(quantity), ...(reason && { reason }) }, key });
      setQuantity("");
      setReason("");
      setKey(newKey());
      await onDone();
    } catch (problem) {
      if (problem instanceof Failure && problem.status !== 0) setKey(newKey());
      setError(problem);
    } finally {
      setBusy(false);
    }
  };
  return (
    <form className="stack" onSubmit={(event) => void move(event)} noValidate>
      <div className="pair">
        <ChoiceField label="What happened" value={kind} choices={KINDS} onChoice={setKind} />
        <TextField label="Units" inputMode="numeric" value={quantity} onText={setQuantity} fault={faultOf(error, "quantity")} />
      </div>
      <TextField label="Reason" value={reason} onText={setReason} fault={faultOf(error, "reason")} />
      <FormError error={error} fields={["quantity", "reason"]} />
      <div className="actions"><Button type="submit" busy={busy} disabled={quantity.trim() === ""}>Note the movement</Button></div>
    </form>
  );
}

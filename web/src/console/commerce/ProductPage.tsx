/** One product: its fields, its stock, and the ledger of its movements. */

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useLocation } from "wouter";
import { pando } from "../../api.ts";
import { money } from "../../format.ts";
import { Button } from "../../ui/controls.tsx";
import { Badge, Copy, Loaded, PageHead, Time } from "../../ui/display.tsx";
import { useToast } from "../../ui/toasts.tsx";
import { Confirm } from "../../ui/windows.tsx";
import { ProductForm } from "./ProductForm.tsx";
import { Stock } from "./Stock.tsx";

export default function ProductPage({ id }: { id: string }) {
  const queries = useQueryClient();
  const say = useToast();
  const [, go] = useLocation();
  const [deleting, setDeleting] = useState(false);
  const product = useQuery({
    queryKey: ["product", id],
    queryFn: async ({ signal }) => (await pando.get("/api/products/{id}", { path: { id }, signal })).data.data,
  });
  const renew = () => Promise.all(["product", "stock", "catalog"].map((name) => queries.invalidateQueries({ queryKey: [name] })));
  return (
    <Loaded of={product}>
      {(it) => (
        <>
          <PageHead title={it.name} crumb={<Link href="/commerce">Catalog</Link>} about={<>{money(it.price, it.currency)} · version {it.version}, changed <Time at={it.updatedAt} /></>}>
            {it.active ? null : <Badge>not offered</Badge>}
            <a className="button" href={`/shop/products/${it.id}`}>See it in the shop</a>
            <Copy text={it.id} label="Copy id" />
            <Button kind="danger" onClick={() => setDeleting(true)}>Delete</Button>
          </PageHead>
          <div className="split">
            <section className="card stack">
              <h2>Product</h2>
              <ProductForm key={it.version} product={it} verb="Save" onDone={async () => { await renew(); say("Saved."); }} />
            </section>
            <Stock id={id} onChange={renew} />
          </div>
          {deleting ? (
            <Confirm
              title={`Delete ${it.name}?`}
              verb="Delete"
              danger
              onClose={() => setDeleting(false)}
              onYes={async () => {
                await pando.delete("/api/products/{id}", { path: { id } });
                await renew();
                say(`${it.name} was deleted.`);
                go("/commerce");
              }}
            >
              It leaves the shop at once. Carts that hold it say that it is unavailable.
            </Confirm>
          ) : null}
        </>
      )}
    </Loaded>
  );
}

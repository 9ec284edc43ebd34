/** The catalog: products, found and made. */

import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useLocation, useSearchParams } from "wouter";
import { pando } from "../../api.ts";
import { count, money } from "../../format.ts";
import { Button, SearchBox } from "../../ui/controls.tsx";
import { Badge, Empty, Loaded, PageHead } from "../../ui/display.tsx";
import { Pager, usePages } from "../../ui/pages.tsx";
import { useToast } from "../../ui/toasts.tsx";
import { Window } from "../../ui/windows.tsx";
import { ProductForm } from "./ProductForm.tsx";

export default function CatalogPage() {
  const [search, setSearch] = useSearchParams();
  const q = search.get("q") ?? "";
  const [making, setMaking] = useState(false);
  const queries = useQueryClient();
  const [, go] = useLocation();
  const say = useToast();
  const products = usePages(["catalog", q], async (cursor, signal) => {
    // A search is read by the numbers of its pages, and the whole catalog by cursors.
    const place = q ? { page: cursor ? Number(cursor) : 0 } : { cursor };
    const { data } = await pando.get("/api/products", { query: { size: 25, search: q || undefined, ...place }, signal });
    const { page, totalPages, totalElements, next } = data.pagination as typeof data.pagination & { next?: string };
    return { items: data.data, next: q ? (page !== undefined && page + 1 < (totalPages ?? 0) ? page + 1 : undefined) : next, total: totalElements };
  });
  const find = (text: string) => setSearch(text ? { q: text } : {}, { replace: true });
  const make = <Button kind="primary" onClick={() => setMaking(true)}>New product</Button>;
  return (
    <>
      <PageHead title="Commerce" about="The catalog, and the stock of each product with every movement.">
        <a className="button" href="/shop">Open the shop</a>
        {make}
      </PageHead>
      <div className="stack">
        <div className="row"><SearchBox label="Search the catalog" value={q} onSearch={find} /></div>
        <div className="card flush">
          <Loaded of={products}>
            {({ items }) =>
              items.length === 0 ? (
                q ? (
                  <Empty title={`Nothing matches “${q}”`} actions={<Button onClick={() => find("")}>Show all products</Button>} />
                ) : (
                  <Empty title="The catalog is empty" actions={make}>Products that you make here are in the shop at once.</Empty>
                )
              ) : (
                <table className="cards" aria-busy={products.waits}>
                  <thead><tr><th>Product</th><th>Category</th><th>SKU</th><th className="right">Price</th><th className="right">In stock</th></tr></thead>
                  <tbody>
                    {items.map((it) => (
                      <tr key={it.id} className="linked">
                        <td className="lead" data-label=""><Link className="main" href={`/commerce/${it.id}`}>{it.name}</Link> {it.active ? null : <Badge>not offered</Badge>}</td>
                        <td data-label="Category">{it.category}</td>
                        <td data-label="SKU" className="mono small">{it.sku}</td>
                        <td data-label="Price" className="right number">{money(it.price, it.currency)}</td>
                        <td data-label="In stock" className="right number">{it.stockQuantity === 0 ? <Badge tone="bad">none</Badge> : count(it.stockQuantity)}</td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              )
            }
          </Loaded>
          <Pager of={products} what="products" />
        </div>
      </div>
      {making ? (
        <Window title="New product" onClose={() => setMaking(false)}>
          <ProductForm
            verb="Make the product"
            onDone={async (made) => {
              say(`${made.name} is in the catalog.`);
              await queries.invalidateQueries({ queryKey: ["catalog"] });
              go(`/commerce/${made.id}`);
            }}
          />
        </Window>
      ) : null}
    </>
  );
}

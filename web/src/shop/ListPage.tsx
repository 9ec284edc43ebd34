/** Everything that is offered: searched, narrowed, ordered, and read on as a person scrolls. */

import { useInfiniteQuery } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { Link, useSearchParams } from "wouter";
import { pando, type Schemas } from "../api.ts";
import { count, money } from "../format.ts";
import { Button, CheckField, SearchBox } from "../ui/controls.tsx";
import { Empty, Loaded, Trouble } from "../ui/display.tsx";
import { Picture } from "./Picture.tsx";
import { useCategories } from "./categories.ts";

type Product = Schemas["Product"];
const SORTS = { "": "Newest first", "price-asc": "Cheapest first", "price-desc": "Dearest first", "name-asc": "Name" };
const PAGE = 24;

export default function ListPage() {
  const [search, setSearch] = useSearchParams();
  const at = (name: string) => search.get(name) ?? "";
  const change = (name: string, value: string) =>
    setSearch((before) => {
      const after = new URLSearchParams(before);
      value ? after.set(name, value) : after.delete(name);
      return after;
    }, { replace: true });
  const [q, category, sort, stocked] = [at("q"), at("category"), at("sort"), at("stock") === "1"];
  const [sortBy, sortDirection] = sort ? sort.split("-") : [];
  const products = useInfiniteQuery({
    queryKey: ["products", q, category, sort, stocked],
    initialPageParam: undefined as string | number | undefined,
    queryFn: async ({ pageParam, signal }) => {
      const place = typeof pageParam === "number" ? { page: pageParam } : { cursor: pageParam };
      const query = { size: PAGE, search: q || undefined, category: category || undefined, inStock: stocked || undefined, sortBy, sortDirection, ...place };
      return (await pando.get("/api/products", { query: query as never, signal })).data;
    },
    getNextPageParam: ({ pagination }) => {
      const { page, totalPages, next } = pagination as typeof pagination & { next?: string | null };
      // A search has numbers of pages, everything else has cursors.
      if (q) return (page ?? 0) + 1 < (totalPages ?? 0) ? (page ?? 0) + 1 : undefined;
      return next ?? undefined;
    },
  });
  const categories = useCategories();
  const items = products.data?.pages.flatMap((page) => page.data as Product[]);
  const total = products.data?.pages[0]?.pagination.totalElements;
  const narrowed = Boolean(q || category || stocked);
  return (
    <div className="stack loose">
      <div className="shop-head">
        <h1>{category || "Everything"}</h1>
        {total === undefined ? null : <p className="soft" role="status">{count(total)} {total === 1 ? "product" : "products"}{q ? ` for “${q}”` : ""}</p>}
      </div>
      <div className="row">
        <SearchBox label="Search the shop" value={q} onSearch={(text) => change("q", text)} />
        <select className="input" style={{ width: "auto" }} aria-label="Category" value={category} onChange={(event) => change("category", event.target.value)}>
          <option value="">All categories</option>
          {[...new Set([...(categories.data ?? []), ...(category ? [category] : [])])].map((name) => <option key={name}>{name}</option>)}
        </select>
        <select className="input" style={{ width: "auto" }} aria-label="Order" value={sort} onChange={(event) => change("sort", event.target.value)}>
          {Object.entries(SORTS).map(([value, label]) => <option key={value} value={value}>{value === "" && q ? "Best match first" : label}</option>)}
        </select>
        <CheckField label="In stock" checked={stocked} onCheck={(on) => change("stock", on ? "1" : "")} />
      </div>
      <Loaded of={{ ...products, data: items }} lines={9}>
        {(items) =>
          items.length === 0 ? (
            <Empty
              title={narrowed ? "Nothing matches" : "The shop is empty"}
              actions={narrowed ? <Button onClick={() => setSearch({}, { replace: true })}>Show everything</Button> : <a className="button primary" href="/">Make sample data in the console</a>}
            >
              {narrowed ? "Try another word, or fewer conditions." : "Products that are made in the console are here at once."}
            </Empty>
          ) : (
            <ul className="shelf">
              {items.map((it) => (
                <li key={it.id}>
                  <Link href={`/products/${it.id}`} className="product">
                    <Picture product={it} />
                    <span className="product-name">{it.name}</span>
                    <span className="row between">
                      <strong className="number">{money(it.price, it.currency)}</strong>
                      {it.stockQuantity === 0 ? <span className="badge">sold out</span> : it.stockQuantity <= 5 ? <span className="badge warn">{it.stockQuantity} left</span> : null}
                    </span>
                  </Link>
                </li>
              ))}
            </ul>
          )
        }
      </Loaded>
      {items && products.error ? <Trouble error={products.error} retry={() => void products.fetchNextPage()} /> : null}
      {products.hasNextPage ? <More busy={products.isFetchingNextPage} onMore={() => void products.fetchNextPage()} /> : null}
    </div>
  );
}

/** Reads on when it comes into view. The button is for those who do not scroll. */
function More({ busy, onMore }: { busy: boolean; onMore: () => void }) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const watcher = new IntersectionObserver(([seen]) => seen?.isIntersecting && !busy && onMore(), { rootMargin: "400px" });
    if (place.current) watcher.observe(place.current);
    return () => watcher.disconnect();
  }, [busy, onMore]);
  return (
    <div ref={place} className="more">
      <Button busy={busy} onClick={onMore}>Show more</Button>
    </div>
  );
}

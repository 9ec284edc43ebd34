/** One product, and the button that matters. */

import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "wouter";
import { Failure, newKey } from "@pando/client";
import { pando, wordsFor, type Schemas } from "../api.ts";
import { money } from "../format.ts";
import { Button, ChoiceField } from "../ui/controls.tsx";
import { Empty, Loaded, PageHead } from "../ui/display.tsx";
import { useToast } from "../ui/toasts.tsx";
import { Picture } from "./Picture.tsx";
import { useAddToCart } from "./cart.ts";

export default function ProductPage({ id }: { id: string }) {
  const product = useQuery({
    queryKey: ["product", id],
    queryFn: async ({ signal }) => (await pando.get("/api/products/{id}", { path: { id }, signal })).data.data as Schemas["Product"],
    refetchInterval: 30_000,
  });
  if (product.error instanceof Failure && [400, 404].includes(product.error.status)) {
    return (
      <>
        <PageHead title="No such product" />
        <Empty title="This product is not here any more" actions={<Link className="button primary" href="/">See what is</Link>} />
      </>
    );
  }
  return (
    <Loaded of={product}>
      {(it) => (
        <article className="product-page">
          <Picture product={it} large />
          <div className="stack">
            <p className="small"><Link href="/">The shop</Link> / <Link href={`/?category=${encodeURIComponent(it.category)}`}>{it.category}</Link></p>
            <div>
              <h1>{it.name}</h1>
              {it.brand ? <p className="soft">{it.brand}</p> : null}
            </div>
            <p className="price number">{money(it.price, it.currency)}</p>
            {it.description ? <p>{it.description}</p> : null}
            <Buy product={it} />
            {it.tags.length ? <p className="row small">{it.tags.map((tag) => <Link key={tag} className="badge" href={`/?q=${encodeURIComponent(tag)}`}>{tag}</Link>)}</p> : null}
          </div>
        </article>
      )}
    </Loaded>
  );
}

function Buy({ product }: { product: Schemas["Product"] }) {
  const [quantity, setQuantity] = useState("1");
  // One key until the units are in the cart: a double click adds them once.
  const [key, setKey] = useState(newKey);
  const add = useAddToCart();
  const say = useToast();
  if (!product.active || product.stockQuantity === 0) {
    return <div className="notice"><p>{product.active ? "Sold out for the moment. Look again later." : "This is not offered at the moment."}</p></div>;
  }
  const most = Math.min(product.stockQuantity, 10);
  const put = () =>
    add.mutate(
      { productId: product.id, quantity: Number(quantity), key },
      {
        onSuccess: () => say(`${product.name} is in your cart.`),
        // Without an answer nobody knows whether it happened: another try is the same intention.
        onSettled: (_done, error) => !(error instanceof Failure && error.status === 0) && setKey(newKey()),
      },
    );
  return (
    <div className="stack">
      <div className="row buy">
        <ChoiceField label="Quantity" value={quantity} choices={Array.from({ length: most }, (_, index) => String(index + 1))} onChoice={setQuantity} />
        <Button kind="primary" busy={add.isPending} onClick={put}>Put into the cart</Button>
      </div>
      {product.stockQuantity <= 5 ? <p className="small"><span className="badge warn">Only {product.stockQuantity} left</span></p> : <p className="soft small">In stock</p>}
      {add.error ? <div className="notice bad" role="alert"><p>{wordsFor(add.error)}</p></div> : null}
    </div>
  );
}

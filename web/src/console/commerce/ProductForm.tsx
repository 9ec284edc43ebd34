/** The fields of a product. */

import { useState, type FormEvent } from "react";
import { Failure, newKey } from "@pando/client";
import { pando, type Schemas } from "../../api.ts";
import { AreaField, Button, CheckField, FormError, TextField, faultOf } from "../../ui/controls.tsx";
import { Conflict } from "../Conflict.tsx";

type Product = Schemas["Product"];
type Fields = { name: string; description: string; price: string; currency: string; category: string; brand: string; tags: string; stock: string };
const LABELS = { name: "Name", price: "Price", category: "Category", brand: "Brand", description: "Description", tags: "Tags" };

function fieldsOf(product?: Product): Fields {
  return {
    name: product?.name ?? "",
    description: product?.description ?? "",
    price: product ? String(product.price) : "",
    currency: product?.currency ?? "USD",
    category: product?.category ?? "",
    brand: product?.brand ?? "",
    tags: product?.tags.join(", ") ?? "",
    stock: "0",
  };
}

export function ProductForm({ product, verb, onDone }: { product?: Product; verb: string; onDone: (saved: Product) => void }) {
  const [fields, setFields] = useState(() => fieldsOf(product));
  const [active, setActive] = useState(product?.active ?? true);
  const [key, setKey] = useState(newKey);
  const [error, setError] = useState<unknown>();
  const [theirs, setTheirs] = useState<Product>();
  const [busy, setBusy] = useState(false);
  const set = (name: keyof Fields) => (text: string) => setFields((before) => ({ ...before, [name]: text }));
  const save = async (version = product?.version) => {
    setBusy(true);
    setError(undefined);
    const { name, description, currency, category, brand, tags, price, stock } = fields;
    const shared = { name, description, currency, category, brand, active, price: Number(price), tags: tags.split(",").map((tag) => tag.trim()).filter(Boolean) };
    try {
      const { data } = product
        ? await pando.put("/api/products/{id}", { path: { id: product.id }, body: shared, ifMatch: `"${version}"`, key })
        : await pando.post("/api/products", { body: { ...shared, stockQuantity: Number(stock) }, key });
      onDone(data.data);
    } catch (problem) {
      if (problem instanceof Failure && problem.status !== 0) setKey(newKey());
      if (product && problem instanceof Failure && problem.status === 412) {
        setTheirs((await pando.get("/api/products/{id}", { path: { id: product.id } })).data.data);
      } else {
        setError(problem);
      }
    } finally {
      setBusy(false);
    }
  };
  if (theirs) {
    const shown = ({ name, price, category, brand, description, tags }: Fields) => ({ name, price, category, brand, description, tags });
    return <Conflict mine={shown(fields)} theirs={shown(fieldsOf(theirs))} labels={LABELS} version={theirs.version} busy={busy} onMine={() => { setTheirs(undefined); void save(theirs.version); }} onTheirs={() => onDone(theirs)} />;
  }
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void save();
  };
  return (
    <form className="stack" onSubmit={submit} noValidate>
      <TextField label="Name" value={fields.name} onText={set("name")} fault={faultOf(error, "name")} autoFocus={!product} />
      <div className="pair">
        <TextField label="Price" value={fields.price} onText={set("price")} fault={faultOf(error, "price")} inputMode="decimal" />
        <TextField label="Currency" value={fields.currency} onText={set("currency")} fault={faultOf(error, "currency")} />
      </div>
      <div className="pair">
        <TextField label="Category" value={fields.category} onText={set("category")} fault={faultOf(error, "category")} />
        <TextField label="Brand" value={fields.brand} onText={set("brand")} fault={faultOf(error, "brand")} />
      </div>
      <AreaField label="Description" value={fields.description} onText={set("description")} fault={faultOf(error, "description")} />
      <TextField label="Tags" value={fields.tags} onText={set("tags")} fault={faultOf(error, "tags")} hint="With commas between them" />
      {product ? null : <TextField label="In stock" value={fields.stock} onText={set("stock")} fault={faultOf(error, "stockQuantity")} inputMode="numeric" />}
      <CheckField label="Offered in the shop" checked={active} onCheck={setActive} />
      <FormError error={error} fields={["name", "price", "currency", "category", "brand", "description", "tags", "stockQuantity"]} />
      <div className="actions"><Button kind="primary" type="submit" busy={busy}>{verb}</Button></div>
    </form>
  );
}

/** The fields of a customer. */

import { useState, type FormEvent } from "react";
import { Failure, newKey } from "@pando/client";
import { pando, type Schemas } from "../../api.ts";
import { Button, FormError, TextField, faultOf } from "../../ui/controls.tsx";

type Customer = Schemas["Customer"];

export function CustomerForm({ customer, verb, onDone }: { customer?: Customer; verb: string; onDone: (saved: Customer) => void }) {
  const [fields, setFields] = useState({ name: customer?.name ?? "", email: customer?.email ?? "", phone: customer?.phone ?? "" });
  const [key, setKey] = useState(newKey);
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const set = (name: keyof typeof fields) => (text: string) => setFields((before) => ({ ...before, [name]: text }));
  const save = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setError(undefined);
    try {
      const answer = customer
        ? await pando.patch("/api/v1/customers/{id}", { path: { id: customer.id }, body: changed(customer, fields), key })
        : await pando.post("/api/v1/customers", { body: { ...fields, phone: fields.phone || undefined }, key });
      onDone(answer.data);
    } catch (problem) {
      if (problem instanceof Failure && problem.status !== 0) setKey(newKey());
      setError(problem);
    } finally {
      setBusy(false);
    }
  };
  return (
    <form className="stack" onSubmit={(event) => void save(event)} noValidate>
      <TextField label="Name" value={fields.name} onText={set("name")} fault={faultOf(error, "name")} autoComplete="off" autoFocus={!customer} />
      <TextField label="E-mail" type="email" value={fields.email} onText={set("email")} fault={faultOf(error, "email")} autoComplete="off" />
      <TextField label="Phone" type="tel" value={fields.phone} onText={set("phone")} fault={faultOf(error, "phone")} hint="With the code of the country: +41 44 668 18 00" autoComplete="off" />
      <FormError error={error} fields={["name", "email", "phone"]} />
      <div className="actions">
        <Button kind="primary" type="submit" busy={busy}>{verb}</Button>
      </div>
    </form>
  );
}

/** Only what the person changed: a change of one field leaves those that others changed alone. */
function changed(customer: Customer, fields: { name: string; email: string; phone: string }): Schemas["CustomerChange"] {
  const names = ["name", "email", "phone"] as const;
  return Object.fromEntries(names.filter((name) => fields[name] !== customer[name]).map((name) => [name, fields[name]]));
}

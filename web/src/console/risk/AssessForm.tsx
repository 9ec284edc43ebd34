/** The description of a business. */

import { useState, type FormEvent } from "react";
import { Failure, newKey } from "@pando/client";
import { pando, type Schemas } from "../../api.ts";
import { Button, ChoiceField, FormError, TextField, faultOf } from "../../ui/controls.tsx";

const EMPTY = {
  business_name: "", business_address: "", industry: "retail", country: "", phone: "", email: "", website: "",
  annual_revenue: "", employee_count: "", years_in_business: "",
};
const INDUSTRIES = ["technology", "financial", "healthcare", "manufacturing", "retail", "real estate", "energy", "transportation", "education", "other"];
const FIGURES = ["annual_revenue", "employee_count", "years_in_business"] as const;
const FIELDS = ["business_name", "business_address", "industry", "country", "phone", "email", "website"];

export function AssessForm({ onDone }: { onDone: (made: Schemas["Assessment"]) => void }) {
  const [fields, setFields] = useState(EMPTY);
  const [key, setKey] = useState(newKey);
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const text = (name: keyof typeof EMPTY, label: string, more: { hint?: string; type?: string; placeholder?: string } = {}) => (
    <TextField label={label} value={fields[name]} onText={(value) => setFields((before) => ({ ...before, [name]: value }))} fault={faultOf(error, name) ?? faultOf(error, `metadata.${name}`)} autoComplete="off" {...more} />
  );
  const assess = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setError(undefined);
    const figures = Object.fromEntries(FIGURES.filter((name) => fields[name] !== "").map((name) => [name, Number(fields[name])]));
    // The description of the API says that values of `metadata` are objects, though numbers are meant.
    const body = {
      business_name: fields.business_name,
      business_address: fields.business_address,
      industry: fields.industry,
      country: fields.country.toUpperCase(),
      ...(fields.phone && { phone: fields.phone }),
      ...(fields.email && { email: fields.email }),
      ...(fields.website && { website: fields.website }),
      ...(Object.keys(figures).length && { metadata: figures }),
    } as Schemas["AssessmentRequest"];
    try {
      onDone((await pando.post("/api/v1/assess", { body, key })).data);
    } catch (problem) {
      if (problem instanceof Failure && problem.status !== 0) setKey(newKey());
      setError(problem);
      setBusy(false);
    }
  };
  return (
    <form className="stack" onSubmit={(event) => void assess(event)} noValidate>
      {text("business_name", "Name")}
      {text("business_address", "Address", { placeholder: "Hauptstrasse 1, 3011 Bern" })}
      <div className="pair">
        <ChoiceField label="Industry" value={fields.industry} choices={INDUSTRIES} onChoice={(industry) => setFields((before) => ({ ...before, industry }))} fault={faultOf(error, "industry")} />
        {text("country", "Country", { placeholder: "CH", hint: "Two letters" })}
      </div>
      <div className="pair">
        {text("phone", "Phone", { type: "tel" })}
        {text("email", "E-mail", { type: "email" })}
      </div>
      {text("website", "Website", { type: "url", placeholder: "https://" })}
      <div className="pair">
        {text("annual_revenue", "Revenue in a year", { type: "number" })}
        {text("employee_count", "Employees", { type: "number" })}
        {text("years_in_business", "Years in business", { type: "number" })}
      </div>
      <FormError error={error} fields={FIELDS} />
      <div className="actions"><Button kind="primary" type="submit" busy={busy}>Assess</Button></div>
    </form>
  );
}

/** Lists of the tenant: who is blocked, allowed or watched. */

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { newKey } from "@pando/client";
import { pando, type Schemas } from "../../api.ts";
import { count } from "../../format.ts";
import { Button, ChoiceField, FormError, TextField, faultOf } from "../../ui/controls.tsx";
import { Badge, Empty, Loaded, PageHead, Time, type Tone } from "../../ui/display.tsx";
import { Pager, usePages } from "../../ui/pages.tsx";
import { useToast } from "../../ui/toasts.tsx";
import { Confirm, Window } from "../../ui/windows.tsx";
import { RiskTabs } from "./RiskTabs.tsx";

type Kind = Schemas["ListKind"];
type RiskList = Schemas["RiskList"];
const TONES: Record<Kind, Tone> = { block: "bad", allow: "good", watch: "warn" };

export default function ListsPage() {
  const queries = useQueryClient();
  const [making, setMaking] = useState(false);
  const [open, setOpen] = useState<RiskList>();
  const [deleting, setDeleting] = useState<RiskList>();
  const lists = useQuery({ queryKey: ["lists"], queryFn: async ({ signal }) => (await pando.get("/api/v1/lists", { signal })).data.lists });
  const make = <Button kind="primary" onClick={() => setMaking(true)}>New list</Button>;
  return (
    <>
      <PageHead title="Risk" about="Your own lists count from the next decision on, beside the sanctions lists of the operator.">{make}</PageHead>
      <RiskTabs />
      <div className="card flush">
        <Loaded of={lists}>
          {(lists) =>
            lists.length === 0 ? (
              <Empty title="No lists yet" actions={make}>A block list declines businesses, an allow list is for your rules to read, and the names of a watch list are screened.</Empty>
            ) : (
              <table className="cards">
                <thead><tr><th>List</th><th>Kind</th><th>Entries</th><th>Changed</th><th><span className="unseen">Actions</span></th></tr></thead>
                <tbody>
                  {lists.map((it) => (
                    <tr key={it.id}>
                      <td className="lead main" data-label="">{it.name}</td>
                      <td data-label="Kind"><Badge tone={TONES[it.kind]}>{it.kind}</Badge></td>
                      <td data-label="Entries" className="number">{count(it.entries)}</td>
                      <td data-label="Changed" className="soft small"><Time at={it.updated_at} /></td>
                      <td data-label="" className="right">
                        <Button small onClick={() => setOpen(it)} aria-label={`Entries of ${it.name}`}>Entries</Button>{" "}
                        <Button small kind="danger" onClick={() => setDeleting(it)} aria-label={`Delete ${it.name}`}>Delete</Button>
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            )
          }
        </Loaded>
      </div>
      {making ? <MakeList onClose={() => setMaking(false)} onDone={async () => { setMaking(false); await queries.invalidateQueries({ queryKey: ["lists"] }); }} /> : null}
      {open ? <Entries list={open} onClose={() => setOpen(undefined)} /> : null}
      {deleting ? (
        <Confirm title={`Delete ${deleting.name}?`} verb="Delete" danger onClose={() => setDeleting(undefined)} onYes={async () => { await pando.delete("/api/v1/lists/{id}", { path: { id: deleting.id } }); await queries.invalidateQueries({ queryKey: ["lists"] }); }}>
          Its {count(deleting.entries)} entries stop counting with the next decision. Assessments that were made stay as they are.
        </Confirm>
      ) : null}
    </>
  );
}

function MakeList({ onClose, onDone }: { onClose: () => void; onDone: () => void }) {
  const [name, setName] = useState("");
  const [kind, setKind] = useState<Kind>("block");
  const [error, setError] = useState<unknown>();
  const make = async (event: FormEvent) => {
    event.preventDefault();
    try {
      await pando.post("/api/v1/lists", { body: { name, kind } });
      onDone();
    } catch (problem) {
      setError(problem);
    }
  };
  return (
    <Window title="New list" onClose={onClose}>
      <form className="stack" onSubmit={(event) => void make(event)} noValidate>
        <TextField label="Name" value={name} onText={setName} fault={faultOf(error, "name")} placeholder="bad payers" autoFocus />
        <ChoiceField label="Kind" value={kind} choices={["block", "allow", "watch"]} onChoice={setKind} />
        <FormError error={error} fields={["name"]} />
        <div className="actions"><Button kind="primary" type="submit">Make the list</Button></div>
      </form>
    </Window>
  );
}

function Entries({ list, onClose }: { list: RiskList; onClose: () => void }) {
  const queries = useQueryClient();
  const say = useToast();
  const [fields, setFields] = useState({ name: "", country: "", email: "", phone: "" });
  const [error, setError] = useState<unknown>();
  const entries = usePages(["lists", list.id, "entries"], async (after, signal) => {
    const { data } = await pando.get("/api/v1/lists/{id}/entries", { path: { id: list.id }, query: { limit: 10, after }, signal });
    return { items: data.entries, next: data.next };
  });
  const set = (name: keyof typeof fields) => (text: string) => setFields((before) => ({ ...before, [name]: text }));
  const add = async (event: FormEvent) => {
    event.preventDefault();
    setError(undefined);
    const { country, ...others } = fields;
    const given = Object.fromEntries(Object.entries(others).filter(([, value]) => value));
    const countries = country ? { countries: [country.toUpperCase()] } : {};
    try {
      await pando.post("/api/v1/lists/{id}/entries", { path: { id: list.id }, body: [{ id: newKey().slice(0, 12), ...given, ...countries }] });
      setFields({ name: "", country: "", email: "", phone: "" });
      await queries.invalidateQueries({ queryKey: ["lists"] });
      say("The entry was added.");
    } catch (problem) {
      setError(problem);
    }
  };
  const remove = async (entry: string) => {
    await pando.delete("/api/v1/lists/{id}/entries/{entry}", { path: { id: list.id, entry } });
    await queries.invalidateQueries({ queryKey: ["lists"] });
  };
  return (
    <Window title={list.name} onClose={onClose}>
      <div className="stack">
        <Loaded of={entries} lines={3}>
          {({ items }) => (
            <ul className="health">
              {items.map((it) => (
                <li key={it.entry_id}>
                  <span className="grow">{Object.entries(it.content).filter(([name]) => name !== "id").map(([, value]) => String(value)).join(" · ")}</span>
                  <Button small kind="plain" aria-label={`Remove entry ${it.entry_id}`} onClick={() => void remove(it.entry_id)}>✕</Button>
                </li>
              ))}
              {items.length === 0 ? <li className="soft">This list has no entries.</li> : null}
            </ul>
          )}
        </Loaded>
        <Pager of={entries} what="entries" />
        <form className="stack" onSubmit={(event) => void add(event)} noValidate>
          <div className="pair">
            <TextField label="Name" value={fields.name} onText={set("name")} />
            <TextField label="Country" value={fields.country} onText={set("country")} hint="Two letters" />
            <TextField label="E-mail" value={fields.email} onText={set("email")} />
            <TextField label="Phone" value={fields.phone} onText={set("phone")} />
          </div>
          <FormError error={error} />
          <div className="actions"><Button kind="primary" type="submit">Add</Button></div>
        </form>
      </div>
    </Window>
  );
}

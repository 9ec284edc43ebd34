/** Webhooks: the addresses that get events. */

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { Link } from "wouter";
import { Failure, newKey } from "@pando/client";
import { pando } from "../../api.ts";
import { count } from "../../format.ts";
import { Button, CheckField, FormError, TextField, faultOf } from "../../ui/controls.tsx";
import { Command, Copy, Empty, Loaded, PageHead } from "../../ui/display.tsx";
import { Pager, usePages } from "../../ui/pages.tsx";
import { Window } from "../../ui/windows.tsx";
import { WebhookState } from "./shown.tsx";

export default function WebhooksPage() {
  const [making, setMaking] = useState(false);
  const webhooks = usePages(["webhooks"], async (cursor, signal) => {
    const page = cursor ? Number(cursor) : 1;
    const { data } = await pando.get("/api/v1/webhooks", { query: { page, page_size: 25 }, signal });
    return { items: data.webhooks, next: page * data.page_size < data.total ? page + 1 : undefined, total: data.total };
  });
  const make = <Button kind="primary" onClick={() => setMaking(true)}>New webhook</Button>;
  return (
    <>
      <PageHead title="Webhooks" about="Each event is sent, signed, until the receiver takes it, or is a dead letter that you can send again.">{make}</PageHead>
      <div className="card flush">
        <Loaded of={webhooks}>
          {({ items }) =>
            items.length === 0 ? (
              <Empty title="Nobody is told of events yet" actions={make}>
                Name an address, and choose what it wants to know. To try it on this machine, run <code>pando webhooks listen</code>.
              </Empty>
            ) : (
              <table className="cards">
                <thead><tr><th>Address</th><th>State</th><th>Events</th><th className="right">Delivered</th><th className="right">Dead</th></tr></thead>
                <tbody>
                  {items.map((it) => (
                    <tr key={it.webhook_id} className="linked">
                      <td className="lead" data-label=""><Link className="main" href={`/webhooks/${it.webhook_id}`}>{it.name || it.url}</Link></td>
                      <td data-label="State"><WebhookState status={it.status} /></td>
                      <td data-label="Events"><div className="ellipsis">{it.events.join(", ")}</div></td>
                      <td data-label="Delivered" className="right number">{count(it.delivery_stats.successful_deliveries)}</td>
                      <td data-label="Dead" className="right number">{count(it.delivery_stats.failed_deliveries)}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            )
          }
        </Loaded>
        <Pager of={webhooks} what="webhooks" />
      </div>
      {making ? <MakeWebhook onClose={() => setMaking(false)} /> : null}
    </>
  );
}

function MakeWebhook({ onClose }: { onClose: () => void }) {
  const queries = useQueryClient();
  const [name, setName] = useState("");
  const [url, setUrl] = useState("https://");
  const [chosen, setChosen] = useState<string[]>([]);
  const [ordered, setOrdered] = useState(false);
  const [key, setKey] = useState(newKey);
  const [error, setError] = useState<unknown>();
  const [made, setMade] = useState<{ id: string; secret: string }>();
  const types = useQuery({ queryKey: ["event-types"], queryFn: async ({ signal }) => (await pando.get("/api/v1/webhooks/event-types", { signal })).data.event_types });
  const toggle = (type: string, on: boolean) => setChosen((before) => (on ? [...before, type] : before.filter((it) => it !== type)));
  const make = async (event: FormEvent) => {
    event.preventDefault();
    setError(undefined);
    try {
      const { data } = await pando.post("/api/v1/webhooks", { body: { name, url, events: chosen.length ? chosen : ["*"], ordered }, key });
      await queries.invalidateQueries({ queryKey: ["webhooks"] });
      setMade({ id: data.webhook_id, secret: data.secret });
    } catch (problem) {
      if (problem instanceof Failure && problem.status !== 0) setKey(newKey());
      setError(problem);
    }
  };
  if (made) {
    return (
      <Window title="The webhook was made" onClose={onClose}>
        <div className="stack">
          <p>This secret signs what the address gets. <strong>It is not shown again.</strong></p>
          <Command text={made.secret} />
          <div className="actions">
            <Copy text={made.id} label="Copy id" />
            <Link className="button primary" href={`/webhooks/${made.id}`}>To its deliveries</Link>
          </div>
        </div>
      </Window>
    );
  }
  return (
    <Window title="New webhook" onClose={onClose}>
      <form className="stack" onSubmit={(event) => void make(event)} noValidate>
        <TextField label="Address" type="url" value={url} onText={setUrl} fault={faultOf(error, "url")} hint="It must begin with https:// and be reachable for everybody." />
        <TextField label="Name" value={name} onText={setName} fault={faultOf(error, "name")} />
        <fieldset className="choices">
          <legend>Events, or none for all of them</legend>
          <Loaded of={types} lines={3}>
            {(types) => types.map((type) => <CheckField key={type.name} label={type.name} checked={chosen.includes(type.name)} onCheck={(on) => toggle(type.name, on)} />)}
          </Loaded>
        </fieldset>
        <CheckField label="Events of one thing in their order" checked={ordered} onCheck={setOrdered} />
        <FormError error={error} fields={["url", "name"]} />
        <div className="actions"><Button kind="primary" type="submit">Make the webhook</Button></div>
      </form>
    </Window>
  );
}

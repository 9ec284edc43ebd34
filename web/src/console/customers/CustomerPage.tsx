/** One customer and its history. */

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useLocation } from "wouter";
import { Failure } from "@pando/client";
import { pando } from "../../api.ts";
import { Button } from "../../ui/controls.tsx";
import { Copy, Empty, Loaded, PageHead, Time } from "../../ui/display.tsx";
import { useToast } from "../../ui/toasts.tsx";
import { Confirm } from "../../ui/windows.tsx";
import { History } from "../History.tsx";
import { CustomerForm } from "./CustomerForm.tsx";

export default function CustomerPage({ id }: { id: string }) {
  const queries = useQueryClient();
  const say = useToast();
  const [, go] = useLocation();
  const [deleting, setDeleting] = useState(false);
  const customer = useQuery({
    queryKey: ["customer", id],
    queryFn: async ({ signal }) => (await pando.get("/api/v1/customers/{id}", { path: { id }, signal })).data,
  });
  const history = useQuery({
    queryKey: ["customer", id, "history"],
    queryFn: async ({ signal }) => (await pando.get("/api/v1/customers/{id}/history", { path: { id }, query: { limit: 50 }, signal })).data,
    enabled: customer.isSuccess,
  });
  const crumb = <Link href="/customers">Customers</Link>;
  if (customer.error instanceof Failure && customer.error.status === 404) {
    return (
      <>
        <PageHead title="No such customer" crumb={crumb} />
        <Empty title="There is no customer here">It was deleted, or the address is mistyped.</Empty>
      </>
    );
  }
  return (
    <Loaded of={customer}>
      {(it) => (
        <>
          <PageHead title={it.name} crumb={crumb} about={<>Version {it.version}, changed <Time at={it.updated_at} />.</>}>
            <Copy text={it.id} label="Copy id" />
            <Button kind="danger" onClick={() => setDeleting(true)}>Delete</Button>
          </PageHead>
          <div className="split">
            <section className="card stack">
              <h2>Fields</h2>
              <CustomerForm
                key={it.version}
                customer={it}
                verb="Save"
                onDone={async () => {
                  await queries.invalidateQueries({ queryKey: ["customer", id] });
                  await queries.invalidateQueries({ queryKey: ["customers"] });
                  say("Saved.");
                }}
              />
              {Object.keys(it.metadata).length ? (
                <>
                  <h3>More about it</h3>
                  <pre className="code" tabIndex={0}>{JSON.stringify(it.metadata, null, 2)}</pre>
                </>
              ) : null}
            </section>
            <section className="card">
              <div className="head"><h2>History</h2></div>
              <Loaded of={history}>{(changes) => <History changes={changes} />}</Loaded>
            </section>
          </div>
          {deleting ? (
            <Confirm
              title={`Delete ${it.name}?`}
              verb="Delete for ever"
              danger
              onClose={() => setDeleting(false)}
              onYes={async () => {
                await pando.delete("/api/v1/customers/{id}", { path: { id } });
                await queries.invalidateQueries({ queryKey: ["customers"] });
                say(`${it.name} was deleted.`);
                go("/customers");
              }}
            >
              The customer and its history are removed. This cannot be undone.
            </Confirm>
          ) : null}
        </>
      )}
    </Loaded>
  );
}

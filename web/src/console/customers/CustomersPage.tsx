/** Customers: found by address or number, read page by page. */

import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useLocation, useSearchParams } from "wouter";
import { pando } from "../../api.ts";
import { Button, SearchBox } from "../../ui/controls.tsx";
import { Avatar, Empty, Loaded, PageHead, Time } from "../../ui/display.tsx";
import { Pager, usePages } from "../../ui/pages.tsx";
import { useToast } from "../../ui/toasts.tsx";
import { Window } from "../../ui/windows.tsx";
import { CustomerForm } from "./CustomerForm.tsx";

export default function CustomersPage() {
  const [search, setSearch] = useSearchParams();
  const found = search.get("find") ?? "";
  const [making, setMaking] = useState(false);
  const queries = useQueryClient();
  const [, go] = useLocation();
  const say = useToast();
  const customers = usePages(["customers", found], async (cursor, signal) => {
    // The API finds customers by a whole address or a whole number: both may be encrypted in the database.
    const by = !found ? {} : found.includes("@") ? { email: found.trim() } : { phone: found.trim() };
    const { data } = await pando.get("/api/v1/customers", { query: { limit: 50, cursor, ...by }, signal });
    return { items: data.customers, next: data.next };
  });
  const find = (text: string) => setSearch(text ? { find: text } : {}, { replace: true });
  return (
    <>
      <PageHead title="Customers" about="Records over HTTP and gRPC. E-mail addresses and phone numbers can be encrypted in the database.">
        <Link className="button" href="/customers/import">Import</Link>
        <a className="button" href="/api/v1/customers/export" download="customers.ndjson">Export</a>
        <Button kind="primary" onClick={() => setMaking(true)}>New customer</Button>
      </PageHead>
      <div className="stack">
        <div className="row">
          <SearchBox label="A whole e-mail address or phone number" value={found} onSearch={find} />
        </div>
        <div className="card flush">
          <Loaded of={customers} lines={10}>
            {({ items }) =>
              items.length === 0 ? (
                found ? (
                  <Empty title="Nobody has this address or number" actions={<Button onClick={() => find("")}>Show all customers</Button>}>
                    Type it whole: parts of addresses cannot be searched, because they may be encrypted.
                  </Empty>
                ) : (
                  <Empty
                    title="No customers yet"
                    actions={
                      <>
                        <Button kind="primary" onClick={() => setMaking(true)}>Make the first one</Button>
                        <Link className="button" href="/customers/import">Import a file</Link>
                      </>
                    }
                  >
                    Customers arrive from this page, from a file, or from your own programs over HTTP and gRPC.
                  </Empty>
                )
              ) : (
                <table className="cards" aria-busy={customers.waits}>
                  <thead>
                    <tr><th>Name</th><th>E-mail</th><th>Phone</th><th>Version</th><th>Changed</th></tr>
                  </thead>
                  <tbody>
                    {items.map((it) => (
                      <tr key={it.id} className="linked">
                        <td className="lead" data-label="">
                          <span className="row" style={{ flexWrap: "nowrap" }}>
                            <Avatar name={it.name} />
                            <Link className="main" href={`/customers/${it.id}`}>{it.name}</Link>
                          </span>
                        </td>
                        <td data-label="E-mail">{it.email}</td>
                        <td data-label="Phone" className="number">{it.phone || "–"}</td>
                        <td data-label="Version" className="number">{it.version}</td>
                        <td data-label="Changed" className="soft small"><Time at={it.updated_at} /></td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              )
            }
          </Loaded>
          <Pager of={customers} what="customers" />
        </div>
      </div>
      {making ? (
        <Window title="New customer" onClose={() => setMaking(false)}>
          <CustomerForm
            verb="Make the customer"
            onDone={async (made) => {
              setMaking(false);
              say(`${made.name} was made.`);
              await queries.invalidateQueries({ queryKey: ["customers"] });
              go(`/customers/${made.id}`);
            }}
          />
        </Window>
      ) : null}
    </>
  );
}

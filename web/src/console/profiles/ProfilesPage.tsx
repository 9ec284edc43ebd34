/** Profiles: search, pages, and a new one. */

import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useLocation, useSearchParams } from "wouter";
import { nextPage } from "@pando/client";
import { pando } from "../../api.ts";
import { Button, SearchBox } from "../../ui/controls.tsx";
import { Avatar, Empty, Loaded, PageHead, Time } from "../../ui/display.tsx";
import { Pager, usePages } from "../../ui/pages.tsx";
import { Window } from "../../ui/windows.tsx";
import { useToast } from "../../ui/toasts.tsx";
import { ProfileForm } from "./ProfileForm.tsx";

const SORTS = { "-created_at": "Newest first", created_at: "Oldest first", name: "Name, A to Z", "-name": "Name, Z to A" };
type Sort = keyof typeof SORTS;

export default function ProfilesPage() {
  const [search, setSearch] = useSearchParams();
  const q = search.get("q") ?? "";
  const sort = (search.get("sort") ?? "-created_at") as Sort;
  const [making, setMaking] = useState(false);
  const queries = useQueryClient();
  const [, go] = useLocation();
  const say = useToast();
  const change = (name: string, value: string) =>
    setSearch((before) => {
      const after = new URLSearchParams(before);
      value ? after.set(name, value) : after.delete(name);
      return after;
    }, { replace: true });
  const profiles = usePages(["profiles", q, sort], async (cursor, signal) => {
    // A search has an order of its own: the best match comes first.
    const query = { limit: 50, cursor, q: q || undefined, sort: q ? undefined : sort, count: q ? undefined : ("estimated" as const) };
    const answer = await pando.get("/api/v1/profiles", { query, signal });
    const total = answer.headers.get("x-total-count");
    return { items: answer.data, next: cursorOf(nextPage(answer.headers)), total: total === null ? undefined : Number(total) };
  });
  return (
    <>
      <PageHead title="Profiles" about="People with a name, an address, a text and images. Each change is kept in a history.">
        <a className="button" href="/api/v1/profiles:export?format=csv" download="profiles.csv">Export</a>
        <Button kind="primary" onClick={() => setMaking(true)}>
          New profile
        </Button>
      </PageHead>
      <div className="stack">
        <div className="row">
          <SearchBox label="Search names and texts" value={q} onSearch={(text) => change("q", text)} />
          {q ? null : (
            <select className="input" style={{ width: "auto" }} aria-label="Order" value={sort} onChange={(event) => change("sort", event.target.value)}>
              {Object.entries(SORTS).map(([value, label]) => (
                <option key={value} value={value}>{label}</option>
              ))}
            </select>
          )}
        </div>
        <div className="card flush">
          <Loaded of={profiles} lines={10}>
            {({ items }) =>
              items.length === 0 ? (
                q ? (
                  <Empty title={`Nothing matches “${q}”`} actions={<Button onClick={() => change("q", "")}>Show all profiles</Button>}>
                    The search looks at names, texts and addresses. Try fewer letters.
                  </Empty>
                ) : (
                  <Empty title="No profiles yet" actions={<Button kind="primary" onClick={() => setMaking(true)}>Make the first one</Button>}>
                    Make one here, send one to the API, or import a file with <code>POST /api/v1/profiles:import</code>.
                  </Empty>
                )
              ) : (
                <table className="cards" aria-busy={profiles.waits}>
                  <thead>
                    <tr><th>Name</th><th>E-mail</th><th>Text</th><th>Version</th><th>Made</th></tr>
                  </thead>
                  <tbody>
                    {items.map((it) => (
                      <tr key={it.id} className="linked">
                        <td className="lead" data-label="">
                          <span className="row" style={{ flexWrap: "nowrap" }}>
                            <Avatar name={it.name} picture={it.image_urls.find((url) => url.startsWith("/media/"))} />
                            <Link className="main" href={`/profiles/${it.id}`}>{it.name}</Link>
                          </span>
                        </td>
                        <td data-label="E-mail"><span className="ellipsis">{it.email}</span></td>
                        <td data-label="Text"><div className="ellipsis soft">{it.bio}</div></td>
                        <td data-label="Version" className="number">{it.version}</td>
                        <td data-label="Made" className="soft small"><Time at={it.created_at} /></td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              )
            }
          </Loaded>
          <Pager of={profiles} what="profiles" />
        </div>
      </div>
      {making ? (
        <Window title="New profile" onClose={() => setMaking(false)}>
          <ProfileForm
            verb="Make the profile"
            onDone={async (made) => {
              setMaking(false);
              say(`${made.name} was made.`);
              await queries.invalidateQueries({ queryKey: ["profiles"] });
              go(`/profiles/${made.id}`);
            }}
          />
        </Window>
      ) : null}
    </>
  );
}

function cursorOf(target: string | undefined): string | undefined {
  return target ? (new URL(target, location.origin).searchParams.get("cursor") ?? undefined) : undefined;
}

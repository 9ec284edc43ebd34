/** One profile: its fields, its images, and everything that was ever changed. */

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useLocation } from "wouter";
import { Failure } from "@pando/client";
import { pando, type Schemas } from "../../api.ts";
import { Button } from "../../ui/controls.tsx";
import { Copy, Empty, Loaded, PageHead, Time } from "../../ui/display.tsx";
import { useToast } from "../../ui/toasts.tsx";
import { Confirm } from "../../ui/windows.tsx";
import { History } from "../History.tsx";
import { Erasure } from "./Erasure.tsx";
import { Images } from "./Images.tsx";
import { ProfileForm } from "./ProfileForm.tsx";

export default function ProfilePage({ id }: { id: string }) {
  const queries = useQueryClient();
  const say = useToast();
  const [, go] = useLocation();
  const [asks, setAsks] = useState<"delete" | "erase">();
  const profile = useQuery({
    queryKey: ["profile", id],
    queryFn: async ({ signal }) => (await pando.get("/api/v1/profiles/{id}", { path: { id }, signal })).data.profile as Schemas["Profile"],
  });
  const history = useQuery({
    queryKey: ["profile", id, "history"],
    queryFn: async ({ signal }) => (await pando.get("/api/v1/profiles/{id}/history", { path: { id }, query: { limit: 50 }, signal })).data,
  });
  const renew = () => Promise.all([queries.invalidateQueries({ queryKey: ["profile", id] }), queries.invalidateQueries({ queryKey: ["profiles"] })]);
  const crumb = <Link href="/profiles">Profiles</Link>;

  if (profile.error instanceof Failure && profile.error.status === 404) {
    const deleted = history.data?.some((it) => it.operation === "deleted");
    const restore = async () => {
      await pando.post("/api/v1/profiles/{id}/restore", { path: { id } });
      await renew();
      say("The profile is back.");
    };
    return (
      <>
        <PageHead title={deleted ? "Deleted profile" : "No such profile"} crumb={crumb} />
        <Empty
          title={deleted ? "This profile was deleted" : "There is no profile here"}
          actions={deleted ? <Button kind="primary" onClick={() => void restore().catch((error: Error) => say(error.message, "bad"))}>Restore it</Button> : null}
        >
          {deleted ? "Its history is kept, so it can be restored as it was." : "It may have been erased, or the address is mistyped."}
        </Empty>
        {history.data?.length ? <section className="card"><h2>History</h2><History changes={history.data} /></section> : null}
      </>
    );
  }
  return (
    <Loaded of={profile}>
      {(it) => (
        <>
          <PageHead title={it.name} crumb={crumb} about={<>Version {it.version}, changed <Time at={it.updated_at} />.</>}>
            <Copy text={it.id} label="Copy id" />
            <Button kind="danger" onClick={() => setAsks("delete")}>Delete</Button>
            <Button kind="danger" onClick={() => setAsks("erase")}>Erase</Button>
          </PageHead>
          <div className="split">
            <div className="stack loose">
              <section className="card">
                <div className="head"><h2>Fields</h2></div>
                <ProfileForm
                  key={it.version}
                  profile={it}
                  verb="Save"
                  onDone={async () => {
                    await renew();
                    say("Saved.");
                  }}
                />
              </section>
              <Images id={id} onChange={renew} />
            </div>
            <section className="card">
              <div className="head"><h2>History</h2></div>
              <Loaded of={history}>{(changes) => <History changes={changes} />}</Loaded>
            </section>
          </div>
          {asks === "delete" ? (
            <Confirm
              title={`Delete ${it.name}?`}
              verb="Delete"
              danger
              onClose={() => setAsks(undefined)}
              onYes={async () => {
                await pando.delete("/api/v1/profiles/{id}", { path: { id }, ifMatch: `"${it.version}"` });
                await renew();
                say(`${it.name} was deleted.`);
              }}
            >
              Readers no longer find it. The history is kept, and you can restore it from this page.
            </Confirm>
          ) : null}
          {asks === "erase" ? <Erasure profile={it} onClose={() => setAsks(undefined)} onDone={() => go("/profiles")} /> : null}
        </>
      )}
    </Loaded>
  );
}

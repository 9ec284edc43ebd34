/** One webhook: its deliveries, and what can be sent again. */

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useLocation, useSearchParams } from "wouter";
import { pando, wordsFor, type Schemas } from "../../api.ts";
import { count } from "../../format.ts";
import { Button } from "../../ui/controls.tsx";
import { Command, Copy, Empty, Loaded, PageHead, Time } from "../../ui/display.tsx";
import { Pager, usePages } from "../../ui/pages.tsx";
import { useToast } from "../../ui/toasts.tsx";
import { Confirm, Window } from "../../ui/windows.tsx";
import { Recover } from "./Recover.tsx";
import { DeliveryState, WebhookState } from "./shown.tsx";

type Status = Schemas["DeliveryStatus"];

export default function WebhookPage({ id }: { id: string }) {
  const queries = useQueryClient();
  const say = useToast();
  const [, go] = useLocation();
  const [search, setSearch] = useSearchParams();
  const status = (search.get("status") ?? "") as Status | "";
  const [asks, setAsks] = useState<"delete" | "recover" | "rotate">();
  const [secret, setSecret] = useState<string>();
  const [shown, setShown] = useState<string>();
  const webhook = useQuery({ queryKey: ["webhooks", id], queryFn: async ({ signal }) => (await pando.get("/api/v1/webhooks/{id}", { path: { id }, signal })).data });
  const deliveries = usePages(["deliveries", id, status], async (cursor, signal) => {
    const { data } = await pando.get("/api/v1/webhooks/{id}/deliveries", { path: { id }, query: { limit: 25, cursor, status: status || undefined }, signal });
    return { items: data.deliveries, next: data.next };
  });
  const renew = () => Promise.all([queries.invalidateQueries({ queryKey: ["webhooks"] }), queries.invalidateQueries({ queryKey: ["deliveries"] })]);
  const act = async (what: () => Promise<unknown>, done: string) => {
    try {
      await what();
      await renew();
      say(done);
    } catch (error) {
      say(wordsFor(error), "bad");
    }
  };
  const at = { path: { id } };
  return (
    <Loaded of={webhook}>
      {(it) => (
        <>
          <PageHead title={it.name || it.url} crumb={<Link href="/webhooks">Webhooks</Link>} about={it.name ? it.url : undefined}>
            <WebhookState status={it.status} />
            <Button onClick={() => void act(() => pando.post("/api/v1/webhooks/{id}/test", at), "A test event is on its way.")}>Send a test</Button>
            {it.status === "active" ? (
              <Button onClick={() => void act(() => pando.patch("/api/v1/webhooks/{id}", { ...at, body: { status: "paused" } }), "Events are kept until you go on.")}>Pause</Button>
            ) : (
              <Button onClick={() => void act(() => pando.patch("/api/v1/webhooks/{id}", { ...at, body: { status: "active" } }), "The webhook gets events.")}>Go on</Button>
            )}
            <Button onClick={() => setAsks("recover")}>Send dead letters again</Button>
            <Button onClick={() => setAsks("rotate")}>New secret</Button>
            <Button kind="danger" onClick={() => setAsks("delete")}>Delete</Button>
          </PageHead>
          <div className="stack">
            <dl className="facts card">
              <dt>Events</dt><dd>{it.events.join(", ")}</dd>
              <dt>Delivered</dt><dd className="number">{count(it.delivery_stats.successful_deliveries)} of {count(it.delivery_stats.total_deliveries)}</dd>
              <dt>Order</dt><dd>{it.ordered ? "events of one thing one after the other" : `up to ${it.concurrency} at once`}</dd>
              <dt>Attempts</dt><dd>at most {(it.retry_policy.max_retries ?? 3) + 1}</dd>
              <dt>Id</dt><dd className="mono small">{it.webhook_id} <Copy text={it.webhook_id} /></dd>
            </dl>
            <div className="row between">
              <h2>Deliveries</h2>
              <select className="input" style={{ width: "auto" }} aria-label="Which deliveries" value={status} onChange={(event) => setSearch(event.target.value ? { status: event.target.value } : {}, { replace: true })}>
                <option value="">All</option>
                <option value="pending">Pending</option>
                <option value="delivered">Delivered</option>
                <option value="dead">Dead</option>
              </select>
            </div>
            <div className="card flush">
              <Loaded of={deliveries}>
                {({ items }) =>
                  items.length === 0 ? (
                    <Empty title="Nothing here">{status ? "No delivery has this state." : "Nothing was sent yet. Send a test, or change something that the webhook listens to."}</Empty>
                  ) : (
                    <table className="cards">
                      <thead><tr><th>Event</th><th>State</th><th>Answer</th><th className="right">Attempts</th><th>Last attempt</th><th><span className="unseen">Actions</span></th></tr></thead>
                      <tbody>
                        {items.map((delivery) => (
                          <tr key={delivery.id}>
                            <td className="lead main" data-label="">{delivery.event}</td>
                            <td data-label="State"><DeliveryState status={delivery.status} /></td>
                            <td data-label="Answer" className="number">{delivery.response_code ?? <span className="ellipsis">{delivery.error ?? "–"}</span>}</td>
                            <td data-label="Attempts" className="right number">{delivery.attempts}</td>
                            <td data-label="Last attempt" className="soft small">{delivery.last_attempt_at ? <Time at={delivery.last_attempt_at} /> : "–"}</td>
                            <td data-label="" className="right">
                              <Button small onClick={() => setShown(delivery.id)} aria-label={`Look at ${delivery.id}`}>Look</Button>{" "}
                              <Button small onClick={() => void act(() => pando.post("/api/v1/deliveries/{id}/retry", { path: { id: delivery.id } }), "It is sent again.")} aria-label={`Send again: ${delivery.id}`}>Send again</Button>
                            </td>
                          </tr>
                        ))}
                      </tbody>
                    </table>
                  )
                }
              </Loaded>
              <Pager of={deliveries} what="deliveries" />
            </div>
          </div>
          {shown ? <Delivery id={shown} onClose={() => setShown(undefined)} /> : null}
          {asks === "recover" ? <Recover id={id} onClose={() => setAsks(undefined)} onDone={renew} /> : null}
          {asks === "rotate" ? (
            <Confirm title="Make a new secret?" verb="Make a new secret" onClose={() => setAsks(undefined)} onYes={async () => setSecret((await pando.post("/api/v1/webhooks/{id}/rotate-secret", at)).data.secret)}>
              Events are signed with both secrets for a while, so that the receiver can change over.
            </Confirm>
          ) : null}
          {secret ? (
            <Window title="The new secret" onClose={() => setSecret(undefined)}>
              <div className="stack"><p>It is not shown again.</p><Command text={secret} /></div>
            </Window>
          ) : null}
          {asks === "delete" ? (
            <Confirm title="Delete this webhook?" verb="Delete" danger onClose={() => setAsks(undefined)} onYes={async () => { await pando.delete("/api/v1/webhooks/{id}", at); await renew(); go("/webhooks"); }}>
              Its address gets nothing more, and its deliveries are forgotten.
            </Confirm>
          ) : null}
        </>
      )}
    </Loaded>
  );
}

function Delivery({ id, onClose }: { id: string; onClose: () => void }) {
  const delivery = useQuery({ queryKey: ["delivery", id], queryFn: async ({ signal }) => (await pando.get("/api/v1/deliveries/{id}", { path: { id }, signal })).data });
  return (
    <Window title="Delivery" onClose={onClose}>
      <Loaded of={delivery}>
        {(it) => (
          <div className="stack">
            <dl className="facts">
              <dt>State</dt><dd><DeliveryState status={it.status} /></dd>
              <dt>Event</dt><dd>{it.event} <span className="mono small soft">{it.event_id}</span></dd>
              <dt>About</dt><dd className="mono small">{it.subject}</dd>
              <dt>Attempts</dt><dd className="number">{it.attempts}</dd>
              {it.latency_ms == null ? null : <><dt>Took</dt><dd className="number">{it.latency_ms.toFixed(0)} ms</dd></>}
              {it.next_attempt_at ? <><dt>Next attempt</dt><dd><Time at={it.next_attempt_at} /></dd></> : null}
              {it.error ? <><dt>Error</dt><dd>{it.error}</dd></> : null}
              <dt>Answer</dt><dd>{it.response_code ?? "none"}</dd>
            </dl>
            {it.response ? <pre className="code" tabIndex={0}>{it.response}</pre> : null}
          </div>
        )}
      </Loaded>
    </Window>
  );
}

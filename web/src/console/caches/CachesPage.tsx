/** Caches: what this process remembers, and two ways to make it forget. */

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { pando } from "../../api.ts";
import { bytes, count, words } from "../../format.ts";
import { Button } from "../../ui/controls.tsx";
import { Badge, Loaded, PageHead } from "../../ui/display.tsx";
import { useToast } from "../../ui/toasts.tsx";
import { Confirm } from "../../ui/windows.tsx";

/** As `GET /admin/cache` answers; the description of the operators' API has no types for it. */
interface CacheReport {
  name: string;
  policy: string;
  entries: number;
  entries_max: number;
  bytes: number;
  bytes_max: number;
  hit_ratio: number;
  hits_l1: number;
  misses_l1: number;
  hits_l2: number;
  loads: number;
  stale_hits: number;
  hottest: unknown[];
}

interface Overview {
  redis: { up: boolean; reason?: string } | null;
  caches: CacheReport[];
}

type Act = { verb: "expire" | "clear"; name: string };

export default function CachesPage() {
  const queries = useQueryClient();
  const say = useToast();
  const [asks, setAsks] = useState<Act>();
  const caches = useQuery({
    queryKey: ["caches"],
    queryFn: async ({ signal }) => (await pando.ask<Overview>("get", "/admin/cache", undefined, signal)).data,
    refetchInterval: 3_000,
  });
  return (
    <>
      <PageHead title="Caches" about="What this process holds in memory. A write makes every server forget the old value." />
      <Loaded of={caches}>
        {({ redis, caches }) => (
          <div className="stack">
            <div className="notice">
              <p>
                {redis === null
                  ? "There is no Redis: each process has its own memory, and checks it against the database within 33 seconds."
                  : redis.up
                    ? "Redis is connected: all processes share what they have read."
                    : `Redis does not answer${redis.reason ? ` (${redis.reason})` : ""}: each process goes on with its own memory.`}
              </p>
            </div>
            <div className="card flush">
              <table className="cards">
                <thead><tr><th>Cache</th><th className="right">Hits</th><th className="right">Entries</th><th className="right">Memory</th><th className="right">Loads</th><th>Policy</th><th><span className="unseen">Actions</span></th></tr></thead>
                <tbody>
                  {caches.map((it) => (
                    <tr key={it.name}>
                      <td className="lead main" data-label="">{words(it.name)}</td>
                      <td data-label="Hits" className="right number">{it.hits_l1 + it.misses_l1 === 0 ? "–" : `${(it.hit_ratio * 100).toFixed(1)} %`}</td>
                      <td data-label="Entries" className="right number">{count(it.entries)} <span className="soft small">of {count(it.entries_max)}</span></td>
                      <td data-label="Memory" className="right number">{bytes(it.bytes)} <span className="soft small">of {bytes(it.bytes_max)}</span></td>
                      <td data-label="Loads" className="right number">{count(it.loads)}</td>
                      <td data-label="Policy"><Badge>{it.policy}</Badge></td>
                      <td data-label="" className="right">
                        <Button small onClick={() => setAsks({ verb: "expire", name: it.name })} aria-label={`Expire ${it.name}`}>Expire</Button>{" "}
                        <Button small kind="danger" onClick={() => setAsks({ verb: "clear", name: it.name })} aria-label={`Empty ${it.name}`}>Empty</Button>
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          </div>
        )}
      </Loaded>
      {asks ? (
        <Confirm
          title={asks.verb === "clear" ? `Empty ${asks.name}?` : `Expire ${asks.name}?`}
          verb={asks.verb === "clear" ? "Empty" : "Expire"}
          danger={asks.verb === "clear"}
          onClose={() => setAsks(undefined)}
          onYes={async () => {
            await pando.ask("post", `/admin/cache/${encodeURIComponent(asks.name)}/${asks.verb}`);
            await queries.invalidateQueries({ queryKey: ["caches"] });
            say("Done, in every process.");
          }}
        >
          {asks.verb === "clear"
            ? "The next reads go to the database, in every process. Nothing is lost, but the database works harder for a while."
            : "Every entry is loaded again before it is used. If the database does not answer, the old ones are still served."}
        </Confirm>
      ) : null}
    </>
  );
}

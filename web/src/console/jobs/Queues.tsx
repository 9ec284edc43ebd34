/** Every queue: how much waits, since when, and a way to stop it. */

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { pando, wordsFor } from "../../api.ts";
import { count } from "../../format.ts";
import { Button } from "../../ui/controls.tsx";
import { Badge, Empty, Loaded, Time } from "../../ui/display.tsx";
import { useToast } from "../../ui/toasts.tsx";
import { readQueues, type QueueState } from "./queues.ts";

export function Queues() {
  const queries = useQueryClient();
  const say = useToast();
  const queues = useQuery({ queryKey: ["queues"], queryFn: ({ signal }) => readQueues(signal), refetchInterval: 3_000 });
  const turn = async (it: QueueState) => {
    try {
      await pando.ask("post", `/api/v1/admin/queues/${encodeURIComponent(it.queue)}/${it.paused ? "resume" : "pause"}`);
      await queries.invalidateQueries({ queryKey: ["queues"] });
      say(it.paused ? `${it.queue} goes on.` : `${it.queue} is paused: running jobs end, and no other one begins.`);
    } catch (error) {
      say(wordsFor(error), "bad");
    }
  };
  return (
    <div className="card flush">
      <Loaded of={queues}>
        {(queues) =>
          queues.length === 0 ? (
            <Empty title="No queues">A queue is here once a job was put into it.</Empty>
          ) : (
            <table className="cards">
              <thead><tr><th>Queue</th><th>State</th><th className="right">Waiting</th><th className="right">Later</th><th className="right">Running</th><th className="right">Dead</th><th>Oldest</th><th><span className="unseen">Actions</span></th></tr></thead>
              <tbody>
                {queues.map((it) => (
                  <tr key={it.queue}>
                    <td className="lead main" data-label="">{it.queue}</td>
                    <td data-label="State">{it.paused ? <Badge tone="warn">paused</Badge> : <Badge tone="good">open</Badge>}</td>
                    <td data-label="Waiting" className="right number">{count(it.counts.pending ?? 0)}</td>
                    <td data-label="Later" className="right number">{count(it.counts.scheduled ?? 0)}</td>
                    <td data-label="Running" className="right number">{count(it.counts.running ?? 0)}</td>
                    <td data-label="Dead" className="right number">{it.counts.dead ? <Badge tone="bad">{count(it.counts.dead)}</Badge> : 0}</td>
                    <td data-label="Oldest" className="soft small">{it.oldest ? <Time at={it.oldest} /> : "–"}</td>
                    <td data-label="" className="right">
                      <Button small onClick={() => void turn(it)} aria-label={`${it.paused ? "Resume" : "Pause"} ${it.queue}`}>{it.paused ? "Resume" : "Pause"}</Button>
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          )
        }
      </Loaded>
    </div>
  );
}

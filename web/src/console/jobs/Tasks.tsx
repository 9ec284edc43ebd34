/** Tasks: what clients asked to be done. */

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useSearchParams } from "wouter";
import { nextPage } from "@pando/client";
import { pando, wordsFor, type Schemas } from "../../api.ts";
import { words } from "../../format.ts";
import { Button } from "../../ui/controls.tsx";
import { Badge, Empty, Loaded, Time, type Tone } from "../../ui/display.tsx";
import { Pager, usePages } from "../../ui/pages.tsx";
import { useToast } from "../../ui/toasts.tsx";
import { Window } from "../../ui/windows.tsx";

type Status = Schemas["TaskStatus"];
const TONES: Record<Status, Tone | undefined> = { pending: "info", scheduled: "info", processing: "warn", completed: "good", failed: "bad", cancelled: undefined };

export function Tasks() {
  const [search, setSearch] = useSearchParams();
  const status = (search.get("status") ?? "") as Status | "";
  const [shown, setShown] = useState<string>();
  const tasks = usePages(["tasks", status], async (cursor, signal) => {
    const answer = await pando.get("/api/v1/tasks", { query: { limit: 25, cursor, status: status || undefined }, signal });
    const next = nextPage(answer.headers);
    return { items: answer.data, next: next ? new URL(next, location.origin).searchParams.get("cursor") : undefined };
  });
  return (
    <div className="stack">
      <div>
        <select className="input" style={{ width: "auto" }} aria-label="Which tasks" value={status} onChange={(event) => setSearch(event.target.value ? { status: event.target.value } : {}, { replace: true })}>
          <option value="">All tasks</option>
          {Object.keys(TONES).map((it) => <option key={it} value={it}>{words(it)}</option>)}
        </select>
      </div>
      <div className="card flush">
        <Loaded of={tasks}>
          {({ items }) =>
            items.length === 0 ? (
              <Empty title="No tasks">A task is here after somebody sent one with <code>POST /api/v1/tasks/delayed</code>, or a schedule made one.</Empty>
            ) : (
              <table className="cards">
                <thead><tr><th>Task</th><th>Status</th><th className="right">Attempts</th><th>Due</th><th>Changed</th><th><span className="unseen">Actions</span></th></tr></thead>
                <tbody>
                  {items.map((it) => (
                    <tr key={it.id}>
                      <td className="lead main" data-label="">{words(it.task_type)}</td>
                      <td data-label="Status"><Badge tone={TONES[it.status]}>{it.status}</Badge></td>
                      <td data-label="Attempts" className="right number">{it.attempts}</td>
                      <td data-label="Due" className="soft small"><Time at={it.run_at} /></td>
                      <td data-label="Changed" className="soft small"><Time at={it.updated_at} /></td>
                      <td data-label="" className="right"><Button small onClick={() => setShown(it.id)} aria-label={`Look at task ${it.id}`}>Look</Button></td>
                    </tr>
                  ))}
                </tbody>
              </table>
            )
          }
        </Loaded>
        <Pager of={tasks} what="tasks" />
      </div>
      {shown ? <TaskWindow id={shown} onClose={() => setShown(undefined)} /> : null}
    </div>
  );
}

function TaskWindow({ id, onClose }: { id: string; onClose: () => void }) {
  const queries = useQueryClient();
  const say = useToast();
  const task = useQuery({ queryKey: ["task", id], queryFn: async ({ signal }) => (await pando.get("/api/v1/tasks/{id}", { path: { id }, signal })).data, refetchInterval: 2_000 });
  const cancel = async () => {
    try {
      await pando.delete("/api/v1/tasks/{id}", { path: { id } });
      await queries.invalidateQueries({ queryKey: ["tasks"] });
      say("The task was cancelled.");
      onClose();
    } catch (error) {
      say(wordsFor(error), "bad");
    }
  };
  return (
    <Window title="Task" onClose={onClose}>
      <Loaded of={task}>
        {(it) => (
          <div className="stack">
            <dl className="facts">
              <dt>Type</dt><dd>{it.task_type}</dd>
              <dt>Status</dt><dd><Badge tone={TONES[it.status]}>{it.status}</Badge></dd>
              <dt>Attempts</dt><dd className="number">{it.attempts}</dd>
              <dt>Due</dt><dd><Time at={it.run_at} /></dd>
              {it.error ? <><dt>Error</dt><dd>{it.error}</dd></> : null}
              <dt>Id</dt><dd className="mono small">{it.id}</dd>
            </dl>
            {it.progress ? <pre className="code" tabIndex={0}>{JSON.stringify(it.progress, null, 2)}</pre> : null}
            {it.result ? <pre className="code" tabIndex={0}>{JSON.stringify(it.result, null, 2)}</pre> : null}
            {["pending", "scheduled", "processing"].includes(it.status) ? (
              <div className="actions"><Button kind="danger" onClick={() => void cancel()}>Cancel the task</Button></div>
            ) : null}
          </div>
        )}
      </Loaded>
    </Window>
  );
}

/** Schedules: tasks that come again and again. */

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { pando, wordsFor, type Schemas } from "../../api.ts";
import { Button, ChoiceField, FormError, TextField, AreaField, faultOf } from "../../ui/controls.tsx";
import { Badge, Empty, Loaded, Time } from "../../ui/display.tsx";
import { useToast } from "../../ui/toasts.tsx";
import { Confirm, Window } from "../../ui/windows.tsx";

type Schedule = Schemas["Schedule"];

export function Schedules() {
  const queries = useQueryClient();
  const say = useToast();
  const [making, setMaking] = useState(false);
  const [deleting, setDeleting] = useState<Schedule>();
  const schedules = useQuery({ queryKey: ["schedules"], queryFn: async ({ signal }) => (await pando.get("/api/v1/schedules", { query: { limit: 100 }, signal })).data });
  const renew = () => queries.invalidateQueries({ queryKey: ["schedules"] });
  const turn = async (it: Schedule) => {
    const { task_type, cron, every, data, max_retries, overlap, priority, callback_url, paused } = it;
    try {
      await pando.put("/api/v1/schedules/{name}", { path: { name: it.name }, ifMatch: `"${it.version}"`, body: { task_type, cron, every, data, max_retries, overlap, priority, callback_url, paused: !paused } });
      await renew();
    } catch (error) {
      say(wordsFor(error), "bad");
    }
  };
  const make = <Button kind="primary" onClick={() => setMaking(true)}>New schedule</Button>;
  return (
    <div className="stack">
      <div className="row between">
        <p className="soft">Times are UTC. A schedule survives restarts, and one of several servers makes each task.</p>
        {make}
      </div>
      <div className="card flush">
        <Loaded of={schedules}>
          {(schedules) =>
            schedules.length === 0 ? (
              <Empty title="No schedules yet" actions={make}>For example an export every night, or a request to another system every hour.</Empty>
            ) : (
              <table className="cards">
                <thead><tr><th>Name</th><th>Task</th><th>When</th><th>Next</th><th>Last</th><th><span className="unseen">Actions</span></th></tr></thead>
                <tbody>
                  {schedules.map((it) => (
                    <tr key={it.name}>
                      <td className="lead main" data-label="">{it.name} {it.paused ? <Badge tone="warn">paused</Badge> : null}</td>
                      <td data-label="Task">{it.task_type}</td>
                      <td data-label="When" className="mono small">{it.cron ?? `every ${it.every}`}</td>
                      <td data-label="Next" className="soft small">{it.next_times[0] ? <Time at={it.next_times[0]} /> : "–"}</td>
                      <td data-label="Last" className="soft small">{it.last_at ? <Time at={it.last_at} /> : "never"}</td>
                      <td data-label="" className="right">
                        <Button small onClick={() => void turn(it)} aria-label={`${it.paused ? "Resume" : "Pause"} ${it.name}`}>{it.paused ? "Resume" : "Pause"}</Button>{" "}
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
      {making ? <MakeSchedule onClose={() => setMaking(false)} onDone={async () => { setMaking(false); await renew(); }} /> : null}
      {deleting ? (
        <Confirm title={`Delete ${deleting.name}?`} verb="Delete" danger onClose={() => setDeleting(undefined)} onYes={async () => { await pando.delete("/api/v1/schedules/{name}", { path: { name: deleting.name } }); await renew(); }}>
          It makes no more tasks. Those that it made stay.
        </Confirm>
      ) : null}
    </div>
  );
}

function MakeSchedule({ onClose, onDone }: { onClose: () => void; onDone: () => void }) {
  const [name, setName] = useState("");
  const [type, setType] = useState("echo");
  const [every, setEvery] = useState("");
  const [cron, setCron] = useState("");
  const [text, setText] = useState("{}");
  const [error, setError] = useState<unknown>();
  const types = useQuery({ queryKey: ["task-types"], queryFn: async ({ signal }) => (await pando.get("/api/v1/tasks/types", { signal })).data });
  const make = async (event: FormEvent) => {
    event.preventDefault();
    setError(undefined);
    try {
      const data = JSON.parse(text || "{}") as Record<string, never>;
      await pando.put("/api/v1/schedules/{name}", { path: { name: name || "-" }, body: { task_type: type, data, ...(cron ? { cron } : { every }) } });
      onDone();
    } catch (problem) {
      setError(problem instanceof SyntaxError ? new Error(`The data is no JSON: ${problem.message}`) : problem);
    }
  };
  return (
    <Window title="New schedule" onClose={onClose}>
      <form className="stack" onSubmit={(event) => void make(event)} noValidate>
        <TextField label="Name" value={name} onText={setName} fault={faultOf(error, "name")} placeholder="nightly-export" autoFocus />
        <Loaded of={types} lines={1}>
          {(types) => (
            <ChoiceField label="Task" value={type} choices={types.map((it) => it.type)} onChoice={setType} hint={types.find((it) => it.type === type)?.summary} />
          )}
        </Loaded>
        <div className="pair">
          <TextField label="Every" value={every} onText={setEvery} fault={faultOf(error, "every")} placeholder="15m" hint="30s, 15m, 24h" />
          <TextField label="Or by a cron expression" value={cron} onText={setCron} fault={faultOf(error, "cron")} placeholder="0 3 * * *" />
        </div>
        <AreaField label="Data" className="input mono" value={text} onText={setText} fault={faultOf(error, "data")} spellCheck={false} />
        <FormError error={error} fields={["name", "every", "cron", "data"]} />
        <div className="actions"><Button kind="primary" type="submit">Make the schedule</Button></div>
      </form>
    </Window>
  );
}

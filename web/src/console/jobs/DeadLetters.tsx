/** Jobs that failed too often, grouped by what they failed of. */

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { pando } from "../../api.ts";
import { count, words } from "../../format.ts";
import { Button, FormError, TextField } from "../../ui/controls.tsx";
import { Empty, Loaded, Time } from "../../ui/display.tsx";
import { useToast } from "../../ui/toasts.tsx";
import { Window } from "../../ui/windows.tsx";
import { readDeadLetters, type DeadGroup, type Redriven } from "./queues.ts";

export function DeadLetters() {
  const [chosen, setChosen] = useState<DeadGroup>();
  const groups = useQuery({ queryKey: ["queues", "dead"], queryFn: ({ signal }) => readDeadLetters(signal), refetchInterval: 5_000 });
  return (
    <>
      <Loaded of={groups}>
        {(groups) =>
          groups.length === 0 ? (
            <div className="card"><Empty title="No dead letters">Every job was done, or still has attempts left.</Empty></div>
          ) : (
            <div className="stack">
              {groups.map((it) => (
                <section key={it.queue + it.kind + it.fingerprint} className="card stack tight">
                  <div className="row between">
                    <h2>{words(it.kind)} <span className="soft">in {it.queue}</span></h2>
                    <Button small onClick={() => setChosen(it)} aria-label={`Run ${it.kind} again`}>Run again</Button>
                  </div>
                  <p className="code">{it.error}</p>
                  <p className="soft small">{count(it.count)} jobs, the first <Time at={it.first} />, the last <Time at={it.last} /></p>
                </section>
              ))}
            </div>
          )
        }
      </Loaded>
      {chosen ? <Redrive group={chosen} onClose={() => setChosen(undefined)} /> : null}
    </>
  );
}

function Redrive({ group, onClose }: { group: DeadGroup; onClose: () => void }) {
  const queries = useQueryClient();
  const say = useToast();
  const [rate, setRate] = useState("10");
  const [found, setFound] = useState<number>();
  const [error, setError] = useState<unknown>();
  const ask = async (dry_run: boolean) => {
    setError(undefined);
    try {
      const { queue, kind, fingerprint } = group;
      const body = { queue, task_type: kind, fingerprint, dry_run, ...(rate && { rate_per_second: Number(rate) }) };
      const { data } = await pando.ask<Redriven>("post", "/api/v1/admin/dead-letters/redrive", body);
      setFound(data.selected);
      if (dry_run) return;
      await queries.invalidateQueries({ queryKey: ["queues"] });
      say(`${data.redriven} jobs run again.`);
      onClose();
    } catch (problem) {
      setError(problem);
    }
  };
  return (
    <Window title={`Run ${words(group.kind).toLowerCase()} again`} onClose={onClose}>
      <div className="stack">
        <p>Mend the cause first: a job that fails again is a dead letter again.</p>
        <TextField label="Jobs in a second" inputMode="decimal" value={rate} onText={setRate} hint="Empty: all at once" />
        <FormError error={error} />
        <p role="status">{found === undefined ? "Count them first: nothing is changed." : `${count(found)} jobs are selected.`}</p>
        <div className="actions">
          <Button onClick={() => void ask(true)}>Count</Button>
          <Button kind="primary" disabled={found === undefined} onClick={() => void ask(false)}>Run them again</Button>
        </div>
      </div>
    </Window>
  );
}

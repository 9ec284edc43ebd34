/** The erasure of a person: a job, and its receipt. */

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { newKey } from "@pando/client";
import { pando, type Schemas } from "../../api.ts";
import { Button, FormError, TextField } from "../../ui/controls.tsx";
import { Copy } from "../../ui/display.tsx";
import { Window } from "../../ui/windows.tsx";

export function Erasure({ profile, onClose, onDone }: { profile: Schemas["Profile"]; onClose: () => void; onDone: () => void }) {
  const queries = useQueryClient();
  const [key] = useState(newKey);
  const [typed, setTyped] = useState("");
  const [task, setTask] = useState<string>();
  const [error, setError] = useState<unknown>();
  const state = useQuery({
    queryKey: ["task", task],
    queryFn: async ({ signal }) => (await pando.get("/api/v1/tasks/{id}", { path: { id: task ?? "" }, signal })).data,
    enabled: task !== undefined,
    refetchInterval: (query) => (query.state.data && ["completed", "failed", "cancelled"].includes(query.state.data.status) ? false : 700),
  });
  const erase = async () => {
    setError(undefined);
    try {
      const { data } = await pando.post("/api/v1/profiles/{id}/erase", { path: { id: profile.id }, key });
      setTask(data.id);
      await queries.invalidateQueries({ queryKey: ["profiles"] });
    } catch (problem) {
      setError(problem);
    }
  };
  const receipt = state.data?.result ? JSON.stringify(state.data.result, null, 2) : undefined;
  return (
    <Window title={task ? "Erasure" : `Erase ${profile.name}?`} onClose={task ? onDone : onClose}>
      {task ? (
        <div className="stack">
          <p role="status">
            {receipt ? "Everything about this person is gone. This is the receipt:" : state.data?.status === "failed" ? `The erasure failed: ${state.data.error}. It can be started again.` : "The erasure is under way …"}
          </p>
          {receipt ? <pre className="code" tabIndex={0}>{receipt}</pre> : null}
          <div className="actions">
            {receipt ? <Copy text={receipt} label="Copy receipt" /> : null}
            <Button kind="primary" onClick={onDone}>Back to the profiles</Button>
          </div>
        </div>
      ) : (
        <div className="stack">
          <p>The profile, its images and its history are removed from every table and file. <strong>This cannot be undone.</strong></p>
          <TextField label={`Type the e-mail address to confirm: ${profile.email}`} value={typed} onText={setTyped} autoComplete="off" />
          <FormError error={error} />
          <div className="actions">
            <Button onClick={onClose}>Keep it</Button>
            <Button kind="danger" disabled={typed !== profile.email} onClick={() => void erase()}>Erase for ever</Button>
          </div>
        </div>
      )}
    </Window>
  );
}

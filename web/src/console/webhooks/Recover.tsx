/** Dead letters since a moment: counted first, then sent again. */

import { useState } from "react";
import { newKey } from "@pando/client";
import { pando, type Schemas } from "../../api.ts";
import { Button, FormError, TextField } from "../../ui/controls.tsx";
import { Window } from "../../ui/windows.tsx";

const DAY_MS = 86_400_000;

export function Recover({ id, onClose, onDone }: { id: string; onClose: () => void; onDone: () => Promise<unknown> }) {
  const [since, setSince] = useState(() => new Date(Date.now() - DAY_MS).toISOString().slice(0, 16));
  const [key] = useState(newKey);
  const [found, setFound] = useState<Schemas["WebhookRecovered"]>();
  const [error, setError] = useState<unknown>();
  const ask = async (dry_run: boolean) => {
    setError(undefined);
    try {
      const query = { since: new Date(`${since}Z`).toISOString(), dry_run };
      const { data } = await pando.post("/api/v1/webhooks/{id}/recover", { path: { id }, query, key: dry_run ? newKey() : key });
      setFound(data);
      if (!dry_run) {
        await onDone();
        onClose();
      }
    } catch (problem) {
      setError(problem);
    }
  };
  return (
    <Window title="Send dead letters again" onClose={onClose}>
      <div className="stack">
        <TextField label="Those since (UTC)" type="datetime-local" value={since} onText={setSince} />
        <FormError error={error} />
        <p role="status">{found ? `${found.recovered}${found.more ? " or more" : ""} dead letters would be sent again.` : "Count them first."}</p>
        <div className="actions">
          <Button onClick={() => void ask(true)}>Count</Button>
          <Button kind="primary" disabled={!found} onClick={() => void ask(false)}>Send them again</Button>
        </div>
      </div>
    </Window>
  );
}

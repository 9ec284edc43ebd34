/** The way in, where callers have to say who they are. */

import { useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { pando } from "../api.ts";
import { Button, FormError, TextField } from "../ui/controls.tsx";
import type { Session } from "./session.ts";

export function LoginPage({ session }: { session: Session }) {
  const queries = useQueryClient();
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const logIn = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setError(undefined);
    try {
      const { data } = await pando.post("/api/v1/session", { body: { name, password } });
      pando.csrf = data.csrf_token;
      await queries.invalidateQueries();
    } catch (problem) {
      setError(problem);
      setBusy(false);
    }
  };
  const back = encodeURIComponent(location.pathname);
  return (
    <main className="login">
      <form className="card stack" onSubmit={(event) => void logIn(event)}>
        <div className="row">
          <img src="/icon.svg" alt="" width="32" height="32" />
          <h1>Log in to Pando</h1>
        </div>
        <TextField label="Name" value={name} onText={setName} autoComplete="username" required autoFocus />
        <TextField label="Password" type="password" value={password} onText={setPassword} autoComplete="current-password" required />
        <FormError error={error} />
        <Button kind="primary" type="submit" busy={busy}>
          Log in
        </Button>
        {session.providers.map((provider) => (
          <a key={provider} className="button" href={`/api/v1/session/oidc/${encodeURIComponent(provider)}?return_to=${back}`}>
            Continue with {provider}
          </a>
        ))}
        <p className="soft small">
          No account yet? On the server, <code>pando operators add NAME --role operator</code> makes one.
        </p>
      </form>
    </main>
  );
}

/** The fields of a profile. A form keeps one key until it succeeds, so pressing its button twice makes one profile. */

import { useState, type FormEvent } from "react";
import { Failure, newKey } from "@pando/client";
import { pando, type Schemas } from "../../api.ts";
import { AreaField, Button, FormError, TextField, faultOf } from "../../ui/controls.tsx";
import { Conflict } from "../Conflict.tsx";

type Profile = Schemas["Profile"];
type Fields = { name: string; email: string; bio: string };

const LABELS = { name: "Name", email: "E-mail", bio: "Text" };

export function ProfileForm({ profile, verb, onDone }: { profile?: Profile; verb: string; onDone: (saved: Profile) => void }) {
  const [fields, setFields] = useState<Fields>({ name: profile?.name ?? "", email: profile?.email ?? "", bio: profile?.bio ?? "" });
  const [key, setKey] = useState(newKey);
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const [theirs, setTheirs] = useState<Profile>();
  const set = (name: keyof Fields) => (text: string) => setFields((before) => ({ ...before, [name]: text }));

  const save = async (version = profile?.version) => {
    setBusy(true);
    setError(undefined);
    try {
      const answer = profile
        ? await pando.put("/api/v1/profiles/{id}", { path: { id: profile.id }, body: fields, ifMatch: `"${version}"`, key })
        : await pando.post("/api/v1/profiles", { body: fields, key });
      onDone(answer.data);
    } catch (problem) {
      // What was refused is kept under its key: another try is another intention.
      if (problem instanceof Failure && problem.status !== 0) setKey(newKey());
      if (profile && problem instanceof Failure && problem.status === 412) {
        const now = await pando.get("/api/v1/profiles/{id}", { path: { id: profile.id } });
        setTheirs(now.data.profile as Profile);
      } else {
        setError(problem);
      }
    } finally {
      setBusy(false);
    }
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void save();
  };
  if (theirs) {
    return (
      <Conflict
        mine={fields}
        theirs={{ name: theirs.name, email: theirs.email, bio: theirs.bio }}
        labels={LABELS}
        version={theirs.version}
        busy={busy}
        onMine={() => {
          setTheirs(undefined);
          void save(theirs.version);
        }}
        onTheirs={() => onDone(theirs)}
      />
    );
  }
  return (
    <form className="stack" onSubmit={submit} noValidate>
      <TextField label="Name" value={fields.name} onText={set("name")} fault={faultOf(error, "name")} autoComplete="off" autoFocus={!profile} />
      <TextField label="E-mail" type="email" value={fields.email} onText={set("email")} fault={faultOf(error, "email")} autoComplete="off" />
      <AreaField label="Text" value={fields.bio} onText={set("bio")} fault={faultOf(error, "bio")} hint="Anything that others should know." />
      <FormError error={error} fields={["name", "email", "bio"]} />
      <div className="actions">
        <Button kind="primary" type="submit" busy={busy}>{verb}</Button>
      </div>
    </form>
  );
}

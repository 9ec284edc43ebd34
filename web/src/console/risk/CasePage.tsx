/** One case: its reasons, its notes, and the two steps to an outcome. */

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "wouter";
import { Failure } from "@pando/client";
import { pando, type Schemas } from "../../api.ts";
import { words } from "../../format.ts";
import { AreaField, Button, FormError } from "../../ui/controls.tsx";
import { Badge, Loaded, PageHead, Time } from "../../ui/display.tsx";
import { useSession } from "../session.ts";
import { CASE_TONES } from "./CasesPage.tsx";
import { percent } from "./shown.tsx";

export default function CasePage({ id }: { id: string }) {
  const asked = useQuery({
    queryKey: ["case", id],
    queryFn: async ({ signal }) => (await pando.get("/api/v1/cases/{id}", { path: { id }, signal })).data,
  });
  return (
    <Loaded of={asked}>
      {({ case: it, notes }) => (
        <>
          <PageHead title={it.business_name} crumb={<Link href="/risk/cases">Cases</Link>} about={<>A {it.kind}, opened <Time at={it.created_at} />.</>}>
            <Badge tone={CASE_TONES[it.status]}>{words(it.status)}</Badge>
          </PageHead>
          <div className="split">
            <div className="stack loose">
              <Facts it={it} />
              <Steps key={it.version} it={it} />
            </div>
            <section className="card stack">
              <h2>Notes</h2>
              {notes.length === 0 ? <p className="soft">Nobody has written anything yet.</p> : null}
              <ol className="timeline">
                {notes.map((note) => (
                  <li key={note.written_at + note.author}>
                    <strong>{note.author}</strong> <span className="soft small"><Time at={note.written_at} /></span>
                    <p>{note.note}</p>
                  </li>
                ))}
              </ol>
            </section>
          </div>
        </>
      )}
    </Loaded>
  );
}

function Facts({ it }: { it: Schemas["RiskCase"] }) {
  const details = it.details as { score?: number; reasons?: Schemas["Reason"][] };
  return (
    <section className="card stack">
      <dl className="facts">
        <dt>Assignee</dt><dd>{it.assignee ?? "nobody"}</dd>
        {details.score === undefined ? null : <><dt>Score</dt><dd className="number">{percent(details.score)}</dd></>}
        {it.assessment_id ? <><dt>Assessment</dt><dd><Link href={`/risk/assessments/${it.assessment_id}`}>How the score came about</Link></dd></> : null}
        {it.proposed ? <><dt>Proposed</dt><dd>{it.proposed} by {it.proposed_by}</dd></> : null}
        {it.outcome ? <><dt>Outcome</dt><dd>{it.outcome}, confirmed by {it.confirmed_by}</dd></> : null}
      </dl>
      {details.reasons?.length ? (
        <ul className="stack tight">{details.reasons.map((reason) => <li key={reason.code}>{reason.text}</li>)}</ul>
      ) : null}
    </section>
  );
}

function Steps({ it }: { it: Schemas["RiskCase"] }) {
  const queries = useQueryClient();
  const session = useSession();
  const [note, setNote] = useState("");
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const me = session.data?.session ? `operator:${session.data.session.operator}` : undefined;
  const step = async (act: () => Promise<unknown>) => {
    setBusy(true);
    setError(undefined);
    try {
      await act();
      await queries.invalidateQueries({ queryKey: ["case", it.id] });
      await queries.invalidateQueries({ queryKey: ["cases"] });
    } catch (problem) {
      setError(problem);
    } finally {
      setBusy(false);
    }
  };
  const at = { path: { id: it.id } };
  const given = note ? { note } : {};
  const own = error instanceof Failure && error.code === "FOUR_EYES";
  return (
    <section className="card stack">
      <h2>{it.status === "closed" ? "This case is closed" : "Decide"}</h2>
      <AreaField label="Note" value={note} onText={setNote} hint="It is kept with the step that you take." />
      {own ? (
        <div className="notice warn" role="alert"><p>You proposed this outcome yourself: another person must confirm it.</p></div>
      ) : (
        <FormError error={error} />
      )}
      {it.status !== "closed" && session.data && session.data.mode !== "required" ? (
        <p className="soft small">Nobody is asked who they are on this server (<code>auth.mode</code>), so all callers are one person, and no case can be closed.</p>
      ) : null}
      <div className="row">
        {it.status !== "closed" && me && it.assignee !== me ? (
          <Button busy={busy} onClick={() => void step(() => pando.post("/api/v1/cases/{id}/assign", { ...at, body: { assignee: me, ...given } }))}>Take it</Button>
        ) : null}
        {it.status === "proposed" ? (
          <>
            <Button kind="primary" busy={busy} onClick={() => void step(() => pando.post("/api/v1/cases/{id}/confirm", { ...at, body: { agree: true, ...given } }))}>Confirm “{it.proposed}”</Button>
            <Button busy={busy} onClick={() => void step(() => pando.post("/api/v1/cases/{id}/confirm", { ...at, body: { agree: false, ...given } }))}>Disagree</Button>
          </>
        ) : null}
        {it.status === "open"
          ? (["approve", "decline"] as const).map((outcome) => (
              <Button key={outcome} kind={outcome === "approve" ? "primary" : "danger"} busy={busy} onClick={() => void step(() => pando.post("/api/v1/cases/{id}/propose", { ...at, body: { outcome, ...given } }))}>
                Propose “{outcome}”
              </Button>
            ))
          : null}
        <Button disabled={!note} busy={busy} onClick={() => void step(() => pando.post("/api/v1/cases/{id}/notes", { ...at, body: { note } }))}>Only note it</Button>
      </div>
    </section>
  );
}

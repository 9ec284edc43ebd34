/** Rules: versions, each tested before it decides. */

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { pando, type Schemas } from "../../api.ts";
import { words } from "../../format.ts";
import { AreaField, Button, FormError, TextField } from "../../ui/controls.tsx";
import { Badge, Empty, Loaded, PageHead, Time, type Tone } from "../../ui/display.tsx";
import { Pager, usePages } from "../../ui/pages.tsx";
import { useToast } from "../../ui/toasts.tsx";
import { Confirm, Window } from "../../ui/windows.tsx";
import { RiskTabs } from "./RiskTabs.tsx";

type Version = Schemas["RulesetVersion"];
const TONES: Record<string, Tone> = { draft: "info", tested: "warn", published: "good" };

export default function RulesPage() {
  const queries = useQueryClient();
  const say = useToast();
  const [editing, setEditing] = useState<number>();
  const [asks, setAsks] = useState<{ verb: "Publish" | "Roll back to"; version: Version }>();
  const rules = usePages(["rules"], async (before, signal) => {
    const { data } = await pando.get("/api/v1/rules", { query: { limit: 25, before: before ? Number(before) : undefined }, signal });
    return { items: data.rulesets, next: data.next, live: data.live, shadow: data.shadow };
  });
  const shipped = useQuery({ queryKey: ["rules", 0], queryFn: async ({ signal }) => (await pando.get("/api/v1/rules/{number}", { path: { number: "0" }, signal })).data.ruleset });
  const renew = () => queries.invalidateQueries({ queryKey: ["rules"] });
  const live = (rules.data as { live?: number } | undefined)?.live ?? 0;
  const test = async (version: Version) => {
    try {
      const { data } = await pando.post("/api/v1/rules/{number}/test", { path: { number: String(version.number) } });
      say(data.passed ? `All ${data.tests} tests pass.` : data.tests === 0 ? "This version carries no tests." : `${data.failures.length} of its tests fail.`, data.passed ? undefined : "bad");
      await renew();
    } catch (error) {
      say((error as Error).message, "bad");
    }
  };
  return (
    <>
      <PageHead title="Risk" about="A draft carries its own tests. It decides only after they pass and somebody publishes it.">
        <Button kind="primary" onClick={() => setEditing(live)}>New draft</Button>
      </PageHead>
      <RiskTabs />
      <div className="card flush">
        <Loaded of={rules}>
          {({ items }) => (
            <>
              <table className="cards">
                <thead><tr><th>Version</th><th>State</th><th>Note</th><th>Changed</th><th><span className="unseen">Actions</span></th></tr></thead>
                <tbody>
                  {[...items, ...(shipped.data && !rules.forward ? [shipped.data] : [])].map((it) => (
                    <tr key={it.number}>
                      <td className="lead" data-label=""><span className="main">{it.number}: {it.name}</span></td>
                      <td data-label="State"><Badge tone={it.number === live ? "good" : TONES[it.state]}>{it.number === live ? "decides" : words(it.state)}</Badge></td>
                      <td data-label="Note" className="soft">{it.note}</td>
                      <td data-label="Changed" className="soft small">{it.number === 0 ? "shipped" : <Time at={it.updated_at} />}</td>
                      <td data-label="" className="right">
                        <Button small onClick={() => setEditing(it.number)} aria-label={`Look at version ${it.number}`}>Look</Button>{" "}
                        {it.number !== 0 ? <Button small onClick={() => void test(it)} aria-label={`Test version ${it.number}`}>Test</Button> : null}{" "}
                        {it.state === "tested" || it.state === "draft" ? <Button small kind="primary" onClick={() => setAsks({ verb: "Publish", version: it })} aria-label={`Publish version ${it.number}`}>Publish</Button> : null}
                        {it.state === "published" && it.number !== live ? <Button small onClick={() => setAsks({ verb: "Roll back to", version: it })} aria-label={`Roll back to version ${it.number}`}>Roll back to</Button> : null}
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
              {items.length === 0 ? <Empty title="The shipped rules decide" actions={<Button onClick={() => setEditing(0)}>Begin a draft from them</Button>}>They are version 0. A draft of your own changes nothing until you publish it.</Empty> : null}
            </>
          )}
        </Loaded>
        <Pager of={rules} what="versions" />
      </div>
      {editing !== undefined ? <Draft from={editing} onClose={() => setEditing(undefined)} onDone={async () => { setEditing(undefined); await renew(); }} /> : null}
      {asks ? (
        <Confirm
          title={`${asks.verb} version ${asks.version.number}?`}
          verb={asks.verb === "Publish" ? "Publish" : "Roll back"}
          onClose={() => setAsks(undefined)}
          onYes={async () => {
            const at = { path: { number: String(asks.version.number) } };
            await (asks.verb === "Publish" ? pando.post("/api/v1/rules/{number}/publish", at) : pando.post("/api/v1/rules/{number}/rollback", at));
            await renew();
          }}
        >
          It decides about every business from now on. Assessments that were made stay as they are.
        </Confirm>
      ) : null}
    </>
  );
}

/** A version as text, and a draft that begins as it is. */
function Draft({ from, onClose, onDone }: { from: number; onClose: () => void; onDone: () => void }) {
  const version = useQuery({ queryKey: ["rules", from, "document"], queryFn: async ({ signal }) => (await pando.get("/api/v1/rules/{number}", { path: { number: String(from) }, signal })).data });
  return (
    <Window title={`Version ${from}`} onClose={onClose}>
      <Loaded of={version}>{({ document }) => <Editor document={document} onDone={onDone} />}</Loaded>
    </Window>
  );
}

function Editor({ document, onDone }: { document: unknown; onDone: () => void }) {
  const [text, setText] = useState(() => JSON.stringify(document, null, 2));
  const [note, setNote] = useState("");
  const [error, setError] = useState<unknown>();
  const save = async (event: FormEvent) => {
    event.preventDefault();
    setError(undefined);
    try {
      const parsed = JSON.parse(text) as Schemas["RulesetFields"]["document"];
      await pando.post("/api/v1/rules", { body: { document: parsed, note } });
      onDone();
    } catch (problem) {
      setError(problem instanceof SyntaxError ? new Error(`This is no JSON: ${problem.message}`) : problem);
    }
  };
  return (
    <form className="stack" onSubmit={(event) => void save(event)}>
      <AreaField label="Document" className="input mono" rows={14} value={text} onText={setText} spellCheck={false} />
      <TextField label="Note" value={note} onText={setNote} hint="Why the rules change" />
      <FormError error={error} />
      <div className="actions"><Button kind="primary" type="submit">Save as a new draft</Button></div>
    </form>
  );
}

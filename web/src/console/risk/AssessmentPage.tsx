/** One assessment: its score, what it is made of, and the reasons for the decision. */

import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "wouter";
import { pando, wordsFor, type Schemas } from "../../api.ts";
import { words } from "../../format.ts";
import { Button } from "../../ui/controls.tsx";
import { Copy, Loaded, PageHead, Time } from "../../ui/display.tsx";
import { largest } from "./bars.ts";
import { Decision, Level, percent } from "./shown.tsx";

/** How many bars are shown before a person asks for all. */
const BARS = 10;

export default function AssessmentPage({ id }: { id: string }) {
  const assessment = useQuery({
    queryKey: ["assessment", id],
    queryFn: async ({ signal }) => (await pando.get("/api/v1/assess/{id}", { path: { id }, signal })).data,
  });
  const explained = useQuery({
    queryKey: ["assessment", id, "explanation"],
    queryFn: async ({ signal }) => (await pando.get("/api/v1/explain/{id}", { path: { id }, signal })).data.explanation,
  });
  return (
    <Loaded of={assessment}>
      {(it) => (
        <>
          <PageHead title={it.business_name} crumb={<Link href="/risk">Assessments</Link>} about={<>Assessed <Time at={it.created_at} />, for the next {it.prediction_horizon || 0} months.</>}>
            <Copy text={it.id} label="Copy id" />
            <Replay id={id} />
          </PageHead>
          <div className="split">
            <section className="card stack">
              <div className="score">
                <div>
                  <div className="value">{percent(it.risk_score)}</div>
                  <div className="soft small">the model's probability of failure</div>
                </div>
                <div className="row">
                  <Level level={it.risk_level} />
                  <Decision decision={it.decision} />
                </div>
              </div>
              <h2>What the score is made of</h2>
              <Loaded of={explained}>{(explanation) => <Bars explanation={explanation} />}</Loaded>
            </section>
            <div className="stack loose">
              <section className="card stack">
                <h2>Why the rules say “{it.decision}”</h2>
                {it.reasons.length === 0 ? <p className="soft">The rules gave no reason.</p> : null}
                <ul className="stack tight">
                  {it.reasons.map((reason) => (
                    <li key={reason.code}>
                      {reason.text} <span className="soft small">{words(reason.code)}</span>
                    </li>
                  ))}
                </ul>
              </section>
              <section className="card">
                <dl className="facts">
                  <dt>Confidence</dt><dd className="number">{percent(it.confidence_score)}</dd>
                  <dt>Status</dt><dd>{words(it.status)}</dd>
                  <dt>Business</dt><dd className="mono small">{it.business_id}</dd>
                  <dt>Assessment</dt><dd className="mono small">{it.id}</dd>
                </dl>
              </section>
            </div>
          </div>
        </>
      )}
    </Loaded>
  );
}

function Bars({ explanation }: { explanation: Schemas["ScoreExplanation"] }) {
  const [all, setAll] = useState(false);
  const parts = explanation.feature_contributions.map((it) => ({ name: it.feature_name, amount: it.contribution, about: it.description }));
  const shown = largest(parts, all ? parts.length : BARS);
  const most = Math.max(...shown.map((it) => Math.abs(it.amount)), Math.abs(explanation.base), 1e-9);
  return (
    <>
      <p className="soft small">Each bar is added to the log-odds: to the right it raises the risk, to the left it lowers it.</p>
      <ul className="bars">
        <Bar name="Without any feature" amount={explanation.base} most={most} about="The log-odds of a business of which nothing is known" />
        {shown.map((part) => <Bar key={part.name} name={words(part.name)} amount={part.amount} most={most} about={part.about} />)}
        <li className="bar total">
          <span>Together</span>
          <span className="soft">1 / (1 + e^{(-explanation.log_odds).toFixed(3)}) = {percent(explanation.overall_risk_score)}</span>
          <span className="amount">{signed(explanation.log_odds)}</span>
        </li>
      </ul>
      {parts.length > BARS ? <div><Button small onClick={() => setAll(!all)}>{all ? "Show the largest" : "Show all parts"}</Button></div> : null}
    </>
  );
}

function Bar({ name, amount, most, about }: { name: string; amount: number; most: number; about: string }) {
  const width = `${(Math.abs(amount) / most) * 50}%`;
  return (
    <li className="bar" title={about}>
      <span>{name}</span>
      <span className="track" aria-hidden="true"><i className={amount > 0 ? "up" : "down"} style={{ width }} /></span>
      <span className="amount">{signed(amount)}</span>
    </li>
  );
}

function signed(amount: number): string {
  return `${amount > 0 ? "+" : amount < 0 ? "−" : ""}${Math.abs(amount).toFixed(3)}`;
}

function Replay({ id }: { id: string }) {
  const replay = useMutation({ mutationFn: async () => (await pando.get("/api/v1/assess/{id}/replay", { path: { id } })).data });
  return (
    <>
      <Button busy={replay.isPending} onClick={() => replay.mutate()}>Make it again</Button>
      <span role="status" className="small said">
        {replay.data ? (replay.data.same ? "The same, byte for byte." : `${replay.data.differences.length} differences.`) : replay.error ? wordsFor(replay.error) : null}
      </span>
    </>
  );
}

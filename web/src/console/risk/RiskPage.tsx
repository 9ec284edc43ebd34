/** Risk: assess a business, and the assessments that were made. */

import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useLocation } from "wouter";
import { pando } from "../../api.ts";
import { Button } from "../../ui/controls.tsx";
import { Empty, Loaded, PageHead, Time } from "../../ui/display.tsx";
import { Pager, usePages } from "../../ui/pages.tsx";
import { Window } from "../../ui/windows.tsx";
import { AssessForm } from "./AssessForm.tsx";
import { RiskTabs } from "./RiskTabs.tsx";
import { Decision, Level, percent } from "./shown.tsx";

export default function RiskPage() {
  const [asking, setAsking] = useState(false);
  const [, go] = useLocation();
  const queries = useQueryClient();
  const assessments = usePages(["assessments"], async (cursor, signal) => {
    const { data } = await pando.get("/api/v1/assess", { query: { limit: 25, cursor }, signal });
    return { items: data.assessments, next: data.next };
  });
  const assess = <Button kind="primary" onClick={() => setAsking(true)}>Assess a business</Button>;
  return (
    <>
      <PageHead title="Risk" about="A score from a model, a decision by rules, and every reason for both. Each can be made again, byte for byte.">
        {assess}
      </PageHead>
      <RiskTabs />
      <div className="card flush">
        <Loaded of={assessments}>
          {({ items }) =>
            items.length === 0 ? (
              <Empty title="No business was assessed yet" actions={assess}>
                Describe one: you get its score, what raises and lowers it, and the decision of the rules.
              </Empty>
            ) : (
              <table className="cards">
                <thead><tr><th>Business</th><th>Score</th><th>Level</th><th>Decision</th><th>Made</th></tr></thead>
                <tbody>
                  {items.map((it) => (
                    <tr key={it.id} className="linked">
                      <td className="lead" data-label=""><Link className="main" href={`/risk/assessments/${it.id}`}>{it.business_name}</Link></td>
                      <td data-label="Score" className="number">{percent(it.risk_score)}</td>
                      <td data-label="Level"><Level level={it.risk_level} /></td>
                      <td data-label="Decision"><Decision decision={it.decision} /></td>
                      <td data-label="Made" className="soft small"><Time at={it.created_at} /></td>
                    </tr>
                  ))}
                </tbody>
              </table>
            )
          }
        </Loaded>
        <Pager of={assessments} what="assessments" />
      </div>
      {asking ? (
        <Window title="Assess a business" onClose={() => setAsking(false)}>
          <AssessForm
            onDone={async (made) => {
              await queries.invalidateQueries({ queryKey: ["assessments"] });
              go(`/risk/assessments/${made.id}`);
            }}
          />
        </Window>
      ) : null}
    </>
  );
}

/** Cases: decisions that the rules leave to people. */

import { Link, useSearchParams } from "wouter";
import { pando, type Schemas } from "../../api.ts";
import { words } from "../../format.ts";
import { Badge, Empty, Loaded, PageHead, Time, type Tone } from "../../ui/display.tsx";
import { Pager, usePages } from "../../ui/pages.tsx";
import { RiskTabs } from "./RiskTabs.tsx";

type Status = Schemas["CaseStatus"];
export const CASE_TONES: Record<Status, Tone | undefined> = { open: "warn", proposed: "info", closed: undefined };

export default function CasesPage() {
  const [search, setSearch] = useSearchParams();
  const status = (search.get("status") ?? "") as Status | "";
  const cases = usePages(["cases", status], async (cursor, signal) => {
    const { data } = await pando.get("/api/v1/cases", { query: { limit: 25, cursor, status: status || undefined }, signal });
    return { items: data.cases, next: data.next };
  });
  return (
    <>
      <PageHead title="Risk" about="A review opens a case. One person proposes an outcome, and another one confirms it." />
      <RiskTabs />
      <div className="stack">
        <div>
          <select className="input" style={{ width: "auto" }} aria-label="Which cases" value={status} onChange={(event) => setSearch(event.target.value ? { status: event.target.value } : {}, { replace: true })}>
            <option value="">All cases</option>
            <option value="open">Open</option>
            <option value="proposed">Proposed</option>
            <option value="closed">Closed</option>
          </select>
        </div>
        <div className="card flush">
          <Loaded of={cases}>
            {({ items }) =>
              items.length === 0 ? (
                <Empty title="No cases">A case opens when the rules ask for a review of a business.</Empty>
              ) : (
                <table className="cards">
                  <thead><tr><th>Business</th><th>Status</th><th>Assignee</th><th>Proposed</th><th>Outcome</th><th>Opened</th></tr></thead>
                  <tbody>
                    {items.map((it) => (
                      <tr key={it.id} className="linked">
                        <td className="lead" data-label=""><Link className="main" href={`/risk/cases/${it.id}`}>{it.business_name}</Link></td>
                        <td data-label="Status"><Badge tone={CASE_TONES[it.status]}>{words(it.status)}</Badge></td>
                        <td data-label="Assignee">{it.assignee ?? "–"}</td>
                        <td data-label="Proposed">{it.proposed ? `${it.proposed} by ${it.proposed_by}` : "–"}</td>
                        <td data-label="Outcome">{it.outcome ?? "–"}</td>
                        <td data-label="Opened" className="soft small"><Time at={it.created_at} /></td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              )
            }
          </Loaded>
          <Pager of={cases} what="cases" />
        </div>
      </div>
    </>
  );
}

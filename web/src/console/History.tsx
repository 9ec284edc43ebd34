/** The changes of one thing, the latest first. */

import { words } from "../format.ts";
import { Difference, Time } from "../ui/display.tsx";

export interface Change {
  version: number;
  operation: string;
  changed_at: string;
  changed_by: string;
  before: Record<string, unknown>;
  after: Record<string, unknown>;
}

export function History({ changes }: { changes: readonly Change[] }) {
  return (
    <ol className="timeline">
      {changes.map((change) => (
        <li key={change.version} className="stack tight">
          <div>
            <strong>{words(change.operation)}</strong> <span className="soft small">version {change.version} · {change.changed_by} · <Time at={change.changed_at} /></span>
          </div>
          <Difference before={change.before} after={change.after} />
        </li>
      ))}
    </ol>
  );
}

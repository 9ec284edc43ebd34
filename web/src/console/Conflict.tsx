/** Two versions of one thing, and the choice between them. */

import { Button } from "../ui/controls.tsx";

type Choice<T> = {
  mine: T;
  theirs: T;
  labels: Record<keyof T & string, string>;
  /** The version that the server has. */
  version: number;
  busy?: boolean;
  onMine: () => void;
  onTheirs: () => void;
};

export function Conflict<T extends Record<string, string>>({ mine, theirs, labels, version, busy, onMine, onTheirs }: Choice<T>) {
  const names = Object.keys(labels) as (keyof T & string)[];
  const sides = [
    { title: "Yours", of: mine, other: theirs },
    { title: `On the server (version ${version})`, of: theirs, other: mine },
  ];
  return (
    <div className="stack" role="group" aria-label="Two versions">
      <div className="notice warn" role="alert">
        <p>Somebody changed this while you did. Nothing was overwritten: choose which version counts.</p>
      </div>
      <div className="versions">
        {sides.map((side) => (
          <div key={side.title} className="stack tight">
            <h3>{side.title}</h3>
            {names.map((name) => (
              <div key={name}>
                <span className="soft small">{labels[name]}</span>
                <br />
                {side.of[name] === side.other[name] ? <span>{side.of[name] || "–"}</span> : <strong>{side.of[name] || "–"}</strong>}
              </div>
            ))}
          </div>
        ))}
      </div>
      <div className="actions">
        <Button onClick={onTheirs}>Keep the server's</Button>
        <Button kind="primary" busy={busy} onClick={onMine}>Save mine over it</Button>
      </div>
    </div>
  );
}

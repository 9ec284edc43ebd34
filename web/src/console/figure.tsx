/** One number with its name. */

import type { ReactNode } from "react";

export function Figure({ label, value, note, children }: { label: string; value: ReactNode; note?: ReactNode; children?: ReactNode }) {
  return (
    <div className="figure">
      <span className="label">{label}</span>
      <span className="value">{value}</span>
      {note ? <span className="soft small number">{note}</span> : null}
      {children}
    </div>
  );
}

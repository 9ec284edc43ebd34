/** Parts that show things. */

import { useState, type ReactNode } from "react";
import { ago, fullTime, initials } from "../format.ts";
import { wordsFor } from "../api.ts";
import { Button } from "./controls.tsx";
import { useToast } from "./toasts.tsx";

export type Tone = "good" | "warn" | "bad" | "info";

export function Badge({ tone, children }: { tone?: Tone; children: ReactNode }) {
  return <span className={`badge ${tone ?? ""}`}>{children}</span>;
}

export function Time({ at }: { at: string }) {
  return (
    <time dateTime={at} title={fullTime(at)}>
      {ago(at)}
    </time>
  );
}

export function Avatar({ name, picture }: { name: string; picture?: string }) {
  return picture ? <img className="avatar" src={picture} alt="" /> : <span className="avatar" aria-hidden="true">{initials(name)}</span>;
}

export function PageHead({ title, children, about, crumb }: { title: ReactNode; children?: ReactNode; about?: ReactNode; crumb?: ReactNode }) {
  return (
    <header className="page-head">
      <div className="grow">
        {crumb ? <div className="crumb">{crumb}</div> : null}
        <h1>{title}</h1>
        {about ? <p>{about}</p> : null}
      </div>
      {children ? <div className="row">{children}</div> : null}
    </header>
  );
}

export function Empty({ title, children, actions }: { title: string; children?: ReactNode; actions?: ReactNode }) {
  return (
    <div className="empty">
      <svg width="44" height="44" viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="1.5" strokeLinecap="round" strokeLinejoin="round" aria-hidden="true">
        <path d="M12 21V9M12 16l-4-4M12 13.5l4-4" />
        <path d="M12 9a5 5 0 1 0 0-6 5 5 0 0 0 0 6Z" transform="translate(0 -.2)" opacity=".45" />
      </svg>
      <strong>{title}</strong>
      {children ? <p>{children}</p> : null}
      {actions ? <div className="row">{actions}</div> : null}
    </div>
  );
}

export function Skeleton({ lines = 6 }: { lines?: number }) {
  return (
    <div className="skeleton" role="status" aria-label="Loading">
      {Array.from({ length: lines }, (_, index) => (
        <span key={index} />
      ))}
    </div>
  );
}

export function Trouble({ error, retry }: { error: unknown; retry?: () => void }) {
  return (
    <div className="notice bad" role="alert">
      <p className="grow">{wordsFor(error)}</p>
      {retry ? (
        <Button small onClick={retry}>
          Try again
        </Button>
      ) : null}
    </div>
  );
}

type Asked<T> = { data: T | undefined; error: unknown; refetch: () => unknown };

/** Shows what was asked for once it is there, and until then that it is coming or why it is not. */
export function Loaded<T>({ of, lines, children }: { of: Asked<T>; lines?: number; children: (data: T) => ReactNode }) {
  if (of.data !== undefined) return children(of.data);
  if (of.error) return <Trouble error={of.error} retry={() => void of.refetch()} />;
  return <Skeleton lines={lines} />;
}

export function Copy({ text, label = "Copy" }: { text: string; label?: string }) {
  const [done, setDone] = useState(false);
  const say = useToast();
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setDone(true);
      setTimeout(() => setDone(false), 1_500);
    } catch {
      say("This browser does not let a page copy. Select the text and copy it yourself.", "bad");
    }
  };
  return (
    <Button small kind="plain" onClick={() => void copy()} aria-label={`${label}: ${text.slice(0, 60)}`}>
      {done ? "Copied" : label}
    </Button>
  );
}

export function Command({ text }: { text: string }) {
  return (
    <div className="command">
      <pre tabIndex={0} aria-label="A command">{text}</pre>
      <Copy text={text} />
    </div>
  );
}

/** The fields that differ between two states of a thing. */
export function Difference({ before, after }: { before: Record<string, unknown>; after: Record<string, unknown> }) {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  const changed = names.filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]));
  const shown = (value: unknown) => (typeof value === "string" ? value : JSON.stringify(value));
  const worth = (value: unknown) => value !== undefined && value !== "" && JSON.stringify(value) !== "{}" && JSON.stringify(value) !== "[]";
  return (
    <div className="diff small">
      {changed.filter((name) => worth(before[name]) || worth(after[name])).map((name) => (
        <div key={name}>
          <span className="soft">{name}</span> {worth(before[name]) ? <del>{shown(before[name])}</del> : null}{" "}
          {worth(after[name]) ? <ins>{shown(after[name])}</ins> : <span className="soft">removed</span>}
        </div>
      ))}
    </div>
  );
}

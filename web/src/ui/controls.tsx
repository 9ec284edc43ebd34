/** Buttons, fields and what belongs to them. */

import type { ButtonHTMLAttributes, InputHTMLAttributes, ReactNode, Ref, TextareaHTMLAttributes } from "react";
import { useEffect, useId, useRef, useState } from "react";
import { Failure } from "@pando/client";
import { wordsFor } from "../api.ts";

type ButtonProps = ButtonHTMLAttributes<HTMLButtonElement> & {
  kind?: "primary" | "danger" | "plain";
  small?: boolean;
  busy?: boolean;
};

export function Button({ kind, small, busy, className, children, disabled, type = "button", ...rest }: ButtonProps) {
  const names = ["button", kind, small && "small", className].filter(Boolean).join(" ");
  return (
    <button {...rest} type={type} className={names} disabled={disabled || busy} aria-busy={busy || undefined}>
      {children}
      {busy ? " …" : null}
    </button>
  );
}

type FieldFrame = { label: string; hint?: ReactNode; fault?: string };

function Frame({ label, hint, fault, id, children }: FieldFrame & { id: string; children: ReactNode }) {
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {children}
      {fault ? (
        <span className="fault" id={`${id}-note`} role="alert">
          {fault.charAt(0).toUpperCase() + fault.slice(1)}
        </span>
      ) : hint ? (
        <span className="hint" id={`${id}-note`}>
          {hint}
        </span>
      ) : null}
    </div>
  );
}

type TextProps = FieldFrame & Omit<InputHTMLAttributes<HTMLInputElement>, "onChange"> & { onText?: (text: string) => void; ref?: Ref<HTMLInputElement> };

export function TextField({ label, hint, fault, onText, ...rest }: TextProps) {
  const id = useId();
  return (
    <Frame label={label} hint={hint} fault={fault} id={id}>
      <input
        {...rest}
        id={id}
        className="input"
        aria-invalid={fault ? true : undefined}
        aria-describedby={fault || hint ? `${id}-note` : undefined}
        onChange={onText && ((event) => onText(event.target.value))}
      />
    </Frame>
  );
}

type AreaProps = FieldFrame & Omit<TextareaHTMLAttributes<HTMLTextAreaElement>, "onChange"> & { onText?: (text: string) => void };

export function AreaField({ label, hint, fault, onText, ...rest }: AreaProps) {
  const id = useId();
  return (
    <Frame label={label} hint={hint} fault={fault} id={id}>
      <textarea
        className="input"
        {...rest}
        id={id}
        aria-invalid={fault ? true : undefined}
        aria-describedby={fault || hint ? `${id}-note` : undefined}
        onChange={onText && ((event) => onText(event.target.value))}
      />
    </Frame>
  );
}

type ChoiceProps<T extends string> = FieldFrame & { value: T; choices: readonly (T | { value: T; label: string })[]; onChoice: (value: T) => void };

export function ChoiceField<T extends string>({ label, hint, fault, value, choices, onChoice }: ChoiceProps<T>) {
  const id = useId();
  return (
    <Frame label={label} hint={hint} fault={fault} id={id}>
      <select id={id} className="input" value={value} onChange={(event) => onChoice(event.target.value as T)}>
        {choices.map((choice) => {
          const { value, label } = typeof choice === "string" ? { value: choice, label: choice } : choice;
          return (
            <option key={value} value={value}>
              {label}
            </option>
          );
        })}
      </select>
    </Frame>
  );
}

export function CheckField({ label, checked, onCheck }: { label: string; checked: boolean; onCheck: (checked: boolean) => void }) {
  return (
    <label className="check">
      <input type="checkbox" checked={checked} onChange={(event) => onCheck(event.target.checked)} />
      {label}
    </label>
  );
}

/** A search that is asked for as a person types, a moment after the last key. `/` leads to it. */
export function SearchBox({ label, value, onSearch }: { label: string; value: string; onSearch: (text: string) => void }) {
  const [text, setText] = useState(value);
  /** What was asked for last: another value comes from elsewhere, such as a button that shows everything again. */
  const asked = useRef(value);
  useEffect(() => {
    if (value === asked.current) return;
    asked.current = value;
    setText(value);
  }, [value]);
  useEffect(() => {
    if (text === asked.current) return;
    const timer = setTimeout(() => {
      asked.current = text;
      onSearch(text);
    }, 180);
    return () => clearTimeout(timer);
  }, [text, onSearch]);
  return (
    <div className="search">
      <input type="search" data-search className="input" aria-label={label} placeholder={label} value={text} onChange={(event) => setText(event.target.value)} />
      <kbd aria-hidden="true">/</kbd>
    </div>
  );
}

/** What went wrong with a form, unless it is said beside a field. */
export function FormError({ error, fields }: { error: unknown; fields?: string[] }) {
  if (!error) return null;
  const others = error instanceof Failure ? error.fields.filter((it) => !fields?.includes(it.field)) : [];
  const allBeside = error instanceof Failure && error.fields.length > 0 && others.length === 0;
  return (
    <div className="notice bad" role="alert">
      <div>
        <p>{allBeside ? "Some fields need another value: see below them." : wordsFor(error)}</p>
        {others.map((it) => (
          <p key={it.field + it.message} className="small">
            <code>{it.field}</code> {it.message}
          </p>
        ))}
      </div>
    </div>
  );
}

export function faultOf(error: unknown, field: string): string | undefined {
  return error instanceof Failure ? error.fault(field) : undefined;
}

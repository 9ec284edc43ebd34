/** Windows above the page. The browser's own `dialog` keeps the focus inside and gives it back. */

import { useEffect, useId, useRef, useState, type ReactNode } from "react";
import { wordsFor } from "../api.ts";
import { Button } from "./controls.tsx";

export function Window({ title, onClose, children }: { title: string; onClose: () => void; children: ReactNode }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    dialog.current?.showModal();
  }, []);
  return (
    <dialog
      ref={dialog}
      className="window"
      aria-labelledby={id}
      onClose={onClose}
      onCancel={onClose}
      onMouseDown={(event) => event.target === dialog.current && onClose()}
    >
      <div className="window-head">
        <h2 id={id}>{title}</h2>
        <Button kind="plain" small onClick={onClose} aria-label="Close">
          ✕
        </Button>
      </div>
      <div className="window-body">{children}</div>
    </dialog>
  );
}

type Question = {
  title: string;
  children: ReactNode;
  /** The word on the button that does it. */
  verb: string;
  danger?: boolean;
  onYes: () => Promise<unknown>;
  onClose: () => void;
};

/** Asks before something is done that a person should think about. */
export function Confirm({ title, children, verb, danger, onYes, onClose }: Question) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const go = async () => {
    setBusy(true);
    setError(undefined);
    try {
      await onYes();
      onClose();
    } catch (problem) {
      setError(problem);
      setBusy(false);
    }
  };
  return (
    <Window title={title} onClose={onClose}>
      <div className="stack">
        <div>{children}</div>
        {error ? <div className="notice bad" role="alert">{wordsFor(error)}</div> : null}
        <div className="actions">
          <Button onClick={onClose}>Keep it</Button>
          <Button kind={danger ? "danger" : "primary"} busy={busy} onClick={() => void go()}>
            {verb}
          </Button>
        </div>
      </div>
    </Window>
  );
}

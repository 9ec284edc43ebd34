/** Keys that work on every page: `/` searches, `g` and a letter go somewhere, `?` helps. */

import { useEffect, useRef } from "react";

/** How long after `g` its letter counts. */
const PATIENCE_MS = 1_200;

type Keys = { go: (path: string) => void; places: readonly { path: string; key: string }[]; help?: () => void };

export function useKeys({ go, places, help }: Keys) {
  /** When `g` was pressed. */
  const leader = useRef(0);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || document.querySelector("dialog[open]")) return;
      if (Date.now() - leader.current < PATIENCE_MS) {
        leader.current = 0;
        const place = places.find((it) => it.key === event.key);
        if (place) {
          event.preventDefault();
          go(place.path);
        }
        return;
      }
      if (event.key === "g") leader.current = Date.now();
      if (event.key === "?") help?.();
      if (event.key === "/") {
        const search = document.querySelector<HTMLInputElement>("[data-search]");
        if (search) {
          event.preventDefault();
          search.focus();
          search.select();
        }
      }
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  });
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

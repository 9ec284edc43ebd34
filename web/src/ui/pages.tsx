/** Lists that are read page by page, each page by the cursor of the one before. One page is held at a time, so nothing grows. */

import { keepPreviousData, useQuery, type QueryKey } from "@tanstack/react-query";
import { useState } from "react";
import { count, many } from "../format.ts";
import { Button } from "./controls.tsx";

export interface Page<T> {
  items: T[];
  /** The cursor of the next page, if there is one. */
  next?: string | number | null;
  total?: number;
}

/** The page of a list that is shown, and the way to its neighbours. A list with another key begins at its first page. */
export function usePages<T>(key: QueryKey, read: (cursor: string | undefined, signal: AbortSignal) => Promise<Page<T>>, enabled = true) {
  const name = JSON.stringify(key);
  const [place, setPlace] = useState<{ name: string; cursors: string[] }>({ name, cursors: [] });
  const cursors = place.name === name ? place.cursors : [];
  const cursor = cursors.at(-1);
  const asked = useQuery({
    queryKey: [...key, cursor ?? null],
    queryFn: ({ signal }) => read(cursor, signal),
    placeholderData: keepPreviousData,
    enabled,
  });
  const next = asked.data?.next;
  return {
    data: asked.data,
    error: asked.error,
    refetch: asked.refetch,
    number: cursors.length + 1,
    waits: asked.isPlaceholderData,
    forward: next ? () => setPlace({ name, cursors: [...cursors, String(next)] }) : undefined,
    back: cursors.length > 0 ? () => setPlace({ name, cursors: cursors.slice(0, -1) }) : undefined,
  };
}

export function Pager({ of, what }: { of: ReturnType<typeof usePages<unknown>>; what: string }) {
  if (!of.data || (!of.back && !of.forward && (of.data.items.length === 0 || of.data.total === undefined))) return null;
  const { total } = of.data;
  return (
    <nav className="row between pager" aria-label={`Pages of ${what}`}>
      <span className="soft small number">
        {of.back || of.forward ? `Page ${count(of.number)}` : null}
        {total === undefined ? null : ` ${of.back || of.forward ? "· " : ""}${many(total, what)}`}
      </span>
      {of.back || of.forward ? (
        <div className="row">
          <Button small disabled={!of.back} onClick={of.back}>
            Back
          </Button>
          <Button small disabled={!of.forward} onClick={of.forward}>
            Next
          </Button>
        </div>
      ) : null}
    </nav>
  );
}

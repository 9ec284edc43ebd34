/** Live figures of the server: what happened between one of its events and the next. */

import { useEffect, useState } from "react";
import { Failure } from "@pando/client";
import { pando } from "../../api.ts";

/** Counts since the start of the process, as the server sends them once a second. */
export interface Counts {
  ms: number;
  requests: number;
  failures: number;
  latency: [bound: number | null, count: number][];
  cache_hits: number;
  cache_misses: number;
  active: number;
  connections: number;
  memory_bytes: number | null;
}

/** What one second was like. */
export interface Second {
  perSecond: number;
  failuresPerSecond: number;
}

export interface LiveFigures {
  state: "waiting" | "open" | "lost" | "forbidden" | "absent";
  counts?: Counts;
  seconds: Second[];
  /** The counts about a minute ago, to compare with. */
  before?: Counts;
}

const SECONDS_MAX = 60;

export function between(before: Counts, now: Counts): Second {
  const seconds = Math.max((now.ms - before.ms) / 1000, 0.001);
  return {
    perSecond: Math.max(0, now.requests - before.requests) / seconds,
    failuresPerSecond: Math.max(0, now.failures - before.failures) / seconds,
  };
}

/** The time that this share of the requests between two counts did not exceed: the upper bound of its bucket. */
export function quantile(before: Counts | undefined, now: Counts, share: number): number | undefined {
  const earlier = new Map(before?.latency.map(([bound, count]) => [bound, count]));
  const counts = now.latency.map(([bound, count]) => [bound, count - (earlier.get(bound) ?? 0)] as const);
  const total = counts.at(-1)?.[1] ?? 0;
  if (total <= 0) return undefined;
  const found = counts.find(([, count]) => count >= total * share);
  return found?.[0] ?? Number.POSITIVE_INFINITY;
}

/** Reads the figures for as long as the page can be seen. */
export function useLive(): LiveFigures {
  const [live, setLive] = useState<LiveFigures>({ state: "waiting", seconds: [] });
  const [visible, setVisible] = useState(() => !document.hidden);
  useEffect(() => {
    const look = () => setVisible(!document.hidden);
    document.addEventListener("visibilitychange", look);
    return () => document.removeEventListener("visibilitychange", look);
  }, []);
  useEffect(() => {
    if (!visible) return;
    const stop = new AbortController();
    let window: Counts[] = [];
    const onState = (state: "open" | "lost") => {
      window = [];
      setLive((live) => ({ ...live, state }));
    };
    const follow = async () => {
      for await (const event of pando.events("/admin/live", { signal: stop.signal, onState })) {
        const counts = event.data as Counts;
        const last = window.at(-1);
        window = [...window.slice(-SECONDS_MAX), counts];
        const before = window[0];
        setLive((live) => ({
          state: "open",
          counts,
          before,
          seconds: last ? [...live.seconds.slice(1 - SECONDS_MAX), between(last, counts)] : live.seconds,
        }));
      }
    };
    follow().catch((error: unknown) => {
      if (stop.signal.aborted) return;
      const status = error instanceof Failure ? error.status : 0;
      setLive((live) => ({ ...live, state: status === 404 ? "absent" : "forbidden" }));
    });
    return () => stop.abort();
  }, [visible]);
  return live;
}

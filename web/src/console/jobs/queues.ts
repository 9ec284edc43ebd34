/** What the operators' API says about queues. Its description has no types for these answers, so they are written down here. */

import { pando } from "../../api.ts";

export interface QueueState {
  queue: string;
  paused: boolean;
  /** Jobs by state. */
  counts: Partial<Record<"scheduled" | "pending" | "running" | "dead", number>>;
  /** Since when the oldest job waits. */
  oldest: string | null;
}

export async function readQueues(signal?: AbortSignal): Promise<QueueState[]> {
  return (await pando.ask<QueueState[]>("get", "/api/v1/admin/queues", undefined, signal)).data;
}

/** Dead letters that died of the same. */
export interface DeadGroup {
  queue: string;
  kind: string;
  fingerprint: string;
  count: number;
  first: string;
  last: string;
  error: string;
}

export interface Redriven {
  selected: number;
  redriven: number;
}

export async function readDeadLetters(signal?: AbortSignal): Promise<DeadGroup[]> {
  return (await pando.ask<DeadGroup[]>("get", "/api/v1/admin/dead-letters?limit=100", undefined, signal)).data;
}

import { expect, test } from "vitest";
import { between, quantile, type Counts } from "./live.ts";

const counts = (ms: number, requests: number, latency: Counts["latency"]): Counts => ({
  ms, requests, latency, failures: 0, cache_hits: 0, cache_misses: 0, active: 0, connections: 1, memory_bytes: null,
});
const before = counts(1_000, 100, [[0.001, 90], [0.01, 100], [null, 100]]);
const now = counts(3_000, 110, [[0.001, 91], [0.01, 109], [null, 110]]);

test("a rate is what happened between two events, by the time between them", () => {
  expect(between(before, now).perSecond).toBe(5);
});

test("a server that was started again has no negative rate", () => {
  expect(between(now, counts(4_000, 2, [])).perSecond).toBe(0);
});

test("a quantile is the bound of the bucket in which it falls, of what happened since", () => {
  expect(quantile(before, now, 0.1)).toBe(0.001);
  expect(quantile(before, now, 0.5)).toBe(0.01);
  expect(quantile(before, now, 0.99)).toBe(Number.POSITIVE_INFINITY);
  expect(quantile(undefined, now, 0.5)).toBe(0.001);
});

test("without requests there is no quantile", () => {
  expect(quantile(now, now, 0.5)).toBeUndefined();
});

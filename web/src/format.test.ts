import { expect, test } from "vitest";
import { ago, bytes, duration, initials, many, money, words } from "./format.ts";

test("times are said as people say them", () => {
  const now = Date.parse("2026-11-28T12:00:00Z");
  const said = ["2026-11-28T11:59:50Z", "2026-11-28T11:57:00Z", "2026-11-28T15:00:00Z", "2026-11-27T11:00:00Z", "2026-01-02T00:00:00Z"];
  expect(said.map((time) => ago(time, now))).toEqual(["just now", "3 minutes ago", "in 3 hours", "yesterday", "2026-01-02"]);
});

test("numbers have the unit in which they are short", () => {
  expect([0.00025, 0.0004, 0.006, 0.2, 2.5, 300].map(duration)).toEqual(["250 µs", "400 µs", "6 ms", "200 ms", "2.5 s", "5 min"]);
  expect([0, 999, 1_500, 95_900_000].map(bytes)).toEqual(["0 B", "999 B", "1.5 kB", "95.9 MB"]);
  expect([money(29.99, "USD"), money(1200, "JPY"), money(1, "nonsense")]).toEqual(["$29.99", "¥1,200", "1 nonsense"]);
  expect([many(1, "profiles"), many(2000, "profiles")]).toEqual(["1 profile", "2,000 profiles"]);
});

test("names become initials and words, whatever their letters", () => {
  expect(["Ada Lovelace", "Ада", "𝒜 b c", ""].map(initials)).toEqual(["AL", "А", "𝒜C", ""]);
  expect(words("not_screened")).toBe("Not screened");
});

import { expect, test } from "vitest";
import { largest } from "./bars.ts";

test("the parts that are shown add up to the sum of all parts", () => {
  const parts = [0.5, -0.9, 0.1, -0.05, 0.02, 0].map((amount, index) => ({ name: `p${index}`, amount, about: "" }));
  const shown = largest(parts, 3);
  expect(shown.map((it) => it.name)).toEqual(["p1", "p0", "p2", "2 smaller ones"]);
  const sum = (list: { amount: number }[]) => list.reduce((sum, it) => sum + it.amount, 0);
  expect(sum(shown)).toBeCloseTo(sum(parts), 12);
});

test("few parts are all shown", () => {
  expect(largest([{ name: "a", amount: 1, about: "" }], 3)).toHaveLength(1);
});

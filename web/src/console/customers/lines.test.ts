import { expect, test } from "vitest";
import { readLines } from "./lines.ts";

test("a file of CSV becomes customers, whatever its cells hold", () => {
  const text = 'Name,Email,City\r\n"Ada, Countess",ada@example.org,London\r\n\r\n"A ""quoted""\nname",b@example.org,\r\n';
  const lines = readLines(text, "people.csv");
  expect(lines.map((it) => it.customer)).toEqual([
    { name: "Ada, Countess", email: "ada@example.org", metadata: { city: "London" } },
    { name: 'A "quoted"\nname', email: "b@example.org" },
  ]);
  expect(lines.map((it) => it.number)).toEqual([2, 4]);
});

test("a line of CSV with too many cells is named", () => {
  expect(readLines("name,email\na,b,c\n", "x.csv")[0]).toMatchObject({ number: 2, fault: "has more cells than the first line" });
});

test("lines of JSON are taken one by one, and a bad one is named", () => {
  const lines = readLines('{"name":"Ada"}\n\nnonsense\n[1]\n', "x.ndjson");
  expect(lines.map((it) => [it.number, it.fault])).toEqual([
    [1, undefined],
    [3, "is no JSON"],
    [4, "is no JSON object"],
  ]);
});

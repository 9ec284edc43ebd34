/** A file of customers, CSV or one JSON object a line, as lines that the API takes. */

export interface Line {
  /** Its number in the file, from 1. */
  number: number;
  text: string;
  /** The customer, or why the line is none. */
  customer?: Record<string, unknown>;
  fault?: string;
}

const FIELDS = ["id", "name", "email", "phone"];

export function readLines(text: string, name: string): Line[] {
  const isCsv = /\.csv$/i.test(name) || !/^\s*[[{]/.test(text);
  return isCsv ? readCsv(text) : readJson(text);
}

function readJson(text: string): Line[] {
  return text.split(/\r?\n/).flatMap((text, index) => {
    if (!text.trim()) return [];
    const line = { number: index + 1, text };
    try {
      const customer: unknown = JSON.parse(text);
      const isObject = typeof customer === "object" && customer !== null && !Array.isArray(customer);
      return [isObject ? { ...line, customer: customer as Record<string, unknown> } : { ...line, fault: "is no JSON object" }];
    } catch {
      return [{ ...line, fault: "is no JSON" }];
    }
  });
}

function readCsv(text: string): Line[] {
  const rows = csvRows(text);
  const [head, ...rest] = rows;
  if (!head) return [];
  const names = head.cells.map((cell) => cell.trim().toLowerCase());
  return rest.map(({ cells, number, text }) => {
    if (cells.length > names.length) return { number, text, fault: "has more cells than the first line" };
    const given = names.map((name, index) => [name, cells[index]?.trim() ?? ""] as const).filter(([, value]) => value !== "");
    const known = given.filter(([name]) => FIELDS.includes(name));
    const others = given.filter(([name]) => !FIELDS.includes(name));
    const customer: Record<string, unknown> = Object.fromEntries(known);
    if (others.length) customer.metadata = Object.fromEntries(others);
    return { number, text, customer };
  });
}

/** Rows of CSV. A cell in quotes may hold commas, line ends, and quotes that are written twice. */
function csvRows(text: string): { cells: string[]; number: number; text: string }[] {
  const rows: { cells: string[]; number: number; text: string }[] = [];
  let cells: string[] = [];
  let cell = "";
  let quoted = false;
  let begin = 0;
  let [line, first] = [1, 1];
  const endRow = (at: number) => {
    cells.push(cell);
    if (cells.some((it) => it.trim())) rows.push({ cells, number: first, text: text.slice(begin, at).replace(/\r$/, "") });
    cells = [];
    cell = "";
  };
  for (let at = 0; at < text.length; at++) {
    const sign = text[at];
    if (sign === "\n") line++;
    if (quoted) {
      if (sign === '"' && text[at + 1] === '"') {
        cell += '"';
        at++;
      } else if (sign === '"') quoted = false;
      else cell += sign;
    } else if (sign === '"' && cell === "") quoted = true;
    else if (sign === ",") {
      cells.push(cell);
      cell = "";
    } else if (sign === "\n") {
      endRow(at);
      begin = at + 1;
      first = line;
    } else if (sign !== "\r") cell += sign;
  }
  if (cell !== "" || cells.length) endRow(text.length);
  return rows;
}

/** The parts of a score, as bars that add up to it. */

export interface Part {
  name: string;
  amount: number;
  about: string;
}

/** The largest parts, and the rest together: added up, they give the sum of all. */
export function largest(parts: readonly Part[], most: number): Part[] {
  const felt = parts.filter((it) => it.amount !== 0);
  const sorted = felt.toSorted((one, other) => Math.abs(other.amount) - Math.abs(one.amount));
  const rest = sorted.slice(most);
  if (rest.length === 0) return sorted;
  const amount = rest.reduce((sum, it) => sum + it.amount, 0);
  return [...sorted.slice(0, most), { name: `${rest.length} smaller ones`, amount, about: rest.map((it) => it.name).join(", ") }];
}

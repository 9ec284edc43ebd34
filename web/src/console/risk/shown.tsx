/** How scores, levels and decisions look. */

import { Badge, type Tone } from "../../ui/display.tsx";

const LEVELS: Record<string, Tone> = { low: "good", medium: "warn", high: "bad", critical: "bad" };
const DECISIONS: Record<string, Tone> = { approve: "good", review: "warn", decline: "bad" };

export function Level({ level }: { level: string }) {
  return <Badge tone={LEVELS[level]}>{level} risk</Badge>;
}

export function Decision({ decision }: { decision: string }) {
  return <Badge tone={DECISIONS[decision]}>{decision}</Badge>;
}

export function percent(score: number): string {
  return `${(score * 100).toFixed(1)} %`;
}

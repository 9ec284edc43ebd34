/** The picture of a product. Pictures of other servers are not loaded: a page asks only its own server. */

import type { Schemas } from "../api.ts";

/** A hue for each category, so that shelves are not grey. */
function hue(text: string): number {
  let sum = 7;
  for (const sign of text) sum = (sum * 31 + (sign.codePointAt(0) ?? 0)) % 360;
  return sum;
}

export function Picture({ product, large }: { product: Schemas["Product"]; large?: boolean }) {
  const own = product.imageUrls.find((url) => url.startsWith("/media/"));
  const size = large ? "picture large" : "picture";
  if (own) return <img className={size} src={own} alt="" loading="lazy" />;
  const turn = hue(product.category);
  const lean = hue(product.name);
  return (
    <svg className={size} viewBox="0 0 120 120" preserveAspectRatio="xMidYMid slice" aria-hidden="true" style={{ color: `hsl(${turn} 38% 52%)` }}>
      <rect width="120" height="120" fill="currentColor" opacity="0.16" />
      <circle cx={30 + (lean % 60)} cy={34 + (lean % 23)} r={16 + (lean % 13)} fill="currentColor" opacity="0.22" />
      <path d={`M60 118V${50 + (lean % 14)}M60 ${86 - (lean % 8)}l-${16 + (lean % 8)}-16M60 ${78 - (lean % 6)}l${15 + (lean % 9)}-15`} stroke="currentColor" strokeWidth="3.5" strokeLinecap="round" fill="none" opacity="0.85" />
      <circle cx="60" cy={42 + (lean % 14)} r={15 + (lean % 6)} fill="currentColor" opacity="0.5" />
    </svg>
  );
}

// After the build: holds the budget, and writes the compressed variants that the binary embeds.
import { readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const APP = new URL("../dist/app/", import.meta.url).pathname;
/** Brotli bytes of script before the first paint of a door. */
const SCRIPT_BYTES_MAX = 150_000;
/** Bytes that all files together add to the binary. */
const TOTAL_BYTES_MAX = 2_000_000;

const manifest = JSON.parse(readFileSync(join(APP, ".vite/manifest.json"), "utf8"));
rmSync(join(APP, ".vite"), { recursive: true });

const brotli = (bytes) =>
  brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } });

/** The scripts that a chunk needs, itself included. */
function scripts(name, seen = new Set()) {
  const chunk = manifest[name];
  if (!chunk || seen.has(chunk.file)) return seen;
  if (chunk.file.endsWith(".js")) seen.add(chunk.file);
  for (const other of chunk.imports ?? []) scripts(other, seen);
  return seen;
}

/** The first page of each door, which is loaded as well before there is anything to see. */
const FIRST = { "index.html": "src/console/home/HomePage.tsx", "shop.html": "src/shop/ListPage.tsx" };
let failed = false;
for (const [door, page] of Object.entries(FIRST)) {
  if (!manifest[door] || !manifest[page]) throw new Error(`${door} or ${page} is not in the build: change FIRST in build/finish.mjs`);
  const files = [...new Set([...scripts(door), ...scripts(page)])];
  const bytes = files.reduce((sum, file) => sum + brotli(readFileSync(join(APP, file))).length, 0);
  console.log(`${door}: ${(bytes / 1000).toFixed(1)} kB of script before the first paint (${files.length} files, at most ${SCRIPT_BYTES_MAX / 1000} kB)`);
  failed ||= bytes > SCRIPT_BYTES_MAX;
}

let total = 0;
for (const folder of [APP, join(APP, "assets")]) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(folder, entry.name);
    const bytes = readFileSync(path);
    total += bytes.length;
    const variants = { br: brotli(bytes), gz: gzipSync(bytes, { level: 9 }) };
    for (const [ending, packed] of Object.entries(variants)) {
      if (packed.length >= bytes.length) continue;
      writeFileSync(`${path}.${ending}`, packed);
      total += packed.length;
    }
  }
}
console.log(`all files: ${(total / 1000).toFixed(0)} kB in the binary (at most ${TOTAL_BYTES_MAX / 1000} kB)`);
failed ||= total > TOTAL_BYTES_MAX;
if (failed) {
  console.error("The pages are too large: see web/build/finish.mjs.");
  process.exit(1);
}

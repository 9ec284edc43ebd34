import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** The server that answers while the pages are developed: `PANDO=http://127.0.0.1:8080 npm run dev`. */
const server = process.env.PANDO ?? "http://127.0.0.1:8080";

export default defineConfig({
  resolve: { alias: { "@pando/client": here("../clients/typescript/src/index.ts") } },
  build: {
    outDir: "dist/app",
    emptyOutDir: true,
    target: "es2022",
    // Nothing is written into a page: the policy of the server forbids it.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    manifest: ".vite/manifest.json",
    rollupOptions: {
      input: { index: here("index.html"), shop: here("shop.html") },
      // The marks of a library for rendering on servers, which these pages have nothing of.
      onwarn: (warning, warn) => warning.code === "MODULE_LEVEL_DIRECTIVE" || warn(warning),
    },
  },
  server: { proxy: Object.fromEntries(["/api", "/v1", "/admin", "/docs", "/openapi.json", "/health", "/media"].map((path) => [path, server])) },
  test: { include: ["src/**/*.test.ts"] },
} as Parameters<typeof defineConfig>[0]);

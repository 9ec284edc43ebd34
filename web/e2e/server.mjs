// The real program, with a data directory of its own, on a free port.
import { spawn, execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, existsSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const ROOT = new URL("../..", import.meta.url).pathname;
export const PROGRAM = process.env.PANDO_PROGRAM ?? join(process.env.CARGO_TARGET_DIR ?? join(ROOT, "target"), "debug/pando");

export class Server {
  #data = mkdtempSync(join(tmpdir(), "pando-web-"));
  #child;
  #settings;

  constructor(settings = "") {
    this.#settings = settings;
  }

  /** Starts the program, on the port that it had before if there was one. */
  async start() {
    if (!existsSync(PROGRAM)) throw new Error(`${PROGRAM} is missing: run \`cargo build\` first`);
    this.port ??= await freePort();
    const config = join(this.#data, "pando.toml");
    const sections = `[admin]\nlisten = "127.0.0.1:${await freePort()}"\n\n[risk]\nsample_list = true\n\n[webhooks]\nallow_http = true\nnetworks = ["127.0.0.0/8"]\n`;
    writeFileSync(config, `${sections}\n${this.#settings}`);
    this.config = config;
    const portFile = join(this.#data, "port");
    rmSync(portFile, { force: true });
    const args = ["--config", config, "--data", this.#data, "serve", "--listen", `127.0.0.1:${this.port}`, "--port-file", portFile];
    const log = [];
    this.#child = spawn(PROGRAM, args, { stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.#child.stdout, this.#child.stderr]) stream.on("data", (chunk) => log.push(chunk));
    let ended;
    this.#child.once("exit", (code) => {
      ended = code ?? -1;
    });
    // The program writes this file when it listens, and ends if it cannot.
    while (!existsSync(portFile)) {
      if (ended !== undefined) throw new Error(`the program ended with ${ended}:\n${Buffer.concat(log)}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    this.address = `http://127.0.0.1:${readFileSync(portFile, "utf8").trim()}`;
    return this;
  }

  /** Runs another command of the program on the same data. */
  run(...args) {
    return execFileSync(PROGRAM, ["--config", this.config, "--data", this.#data, ...args], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  }

  async end(signal) {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill(signal);
    await ended;
  }

  kill() {
    return this.end("SIGKILL");
  }

  async remove() {
    await this.end("SIGKILL");
    rmSync(this.#data, { recursive: true, force: true });
  }

  /** A request to the API, which must succeed. */
  async api(method, path, body) {
    const init = { method, headers: { "content-type": "application/json" }, body: body && JSON.stringify(body) };
    const answer = await fetch(this.address + path, init);
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return answer.status === 204 ? undefined : answer.json();
  }
}

function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

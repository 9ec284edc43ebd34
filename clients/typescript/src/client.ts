/** The client: one object that carries what one caller knows from each request to the next. */

import { Failure, failureOf } from "./failure.ts";
import type { Answer, Asked, Data, Method, PathOf } from "./operations.ts";
import { type UploadOptions, upload } from "./upload.ts";
import { type EventOptions, type ServerEvent, events } from "./events.ts";

export interface ClientOptions {
  /** Where the server is: `http://127.0.0.1:8080`. In a browser the page's own server is meant by default. */
  address?: string;
  /** An API key or a token. A page with a session needs none. */
  credential?: string;
  /** How often a request is sent if it gets no answer, or is asked to come again. */
  attemptsMax?: number;
  fetch?: typeof fetch;
}

/** An error that may be gone the next time, though the request was sent as it should be. */
const PASSING = [429, 502, 503, 504];
const PAUSE_MS = 200;
const PAUSE_MS_MAX = 10_000;

export class Pando {
  readonly address: string;
  /** The token of the session, which a page sends with each change. `GET /api/v1/session` returns it. */
  csrf?: string;
  /** The latest write of this caller. Reads that carry it see at least that write. */
  private consistency?: string;

  constructor(private readonly options: ClientOptions = {}) {
    this.address = (options.address ?? "").replace(/\/$/, "");
  }

  get<P extends PathOf<"get">>(path: P, asked: Asked<"get", P>): Promise<Answer<Data<"get", P>>> {
    return this.call("get", path, asked as Loose);
  }

  post<P extends PathOf<"post">>(path: P, asked: Asked<"post", P>): Promise<Answer<Data<"post", P>>> {
    return this.call("post", path, asked as Loose);
  }

  put<P extends PathOf<"put">>(path: P, asked: Asked<"put", P>): Promise<Answer<Data<"put", P>>> {
    return this.call("put", path, asked as Loose);
  }

  patch<P extends PathOf<"patch">>(path: P, asked: Asked<"patch", P>): Promise<Answer<Data<"patch", P>>> {
    return this.call("patch", path, asked as Loose);
  }

  delete<P extends PathOf<"delete">>(path: P, asked: Asked<"delete", P>): Promise<Answer<Data<"delete", P>>> {
    return this.call("delete", path, asked as Loose);
  }

  /** A request whose path is no part of the public description, such as the operations of operators. */
  async ask<T>(method: Method, target: string, body?: unknown, signal?: AbortSignal): Promise<Answer<T>> {
    return this.call(method, target as never, { body, signal } as never);
  }

  /** All items of a list whose pages are linked with `Link: <…>; rel="next"`. */
  async *pages<T>(target: string, signal?: AbortSignal): AsyncGenerator<T[]> {
    for (let next: string | undefined = target; next; ) {
      const page: Answer<T[]> = await this.ask<T[]>("get", next, undefined, signal);
      yield page.data;
      next = nextPage(page.headers);
    }
  }

  /** Server-sent events from a path. The stream is taken up again where it broke off, until `signal` ends it. */
  events(target: string, options: EventOptions = {}): AsyncGenerator<ServerEvent> {
    return events((headers, signal) => this.send("get", target, { headers, signal }), options);
  }

  /** Sends a file, and tells how much of it has left. */
  upload<T>(method: Method, target: string, file: Blob, options: UploadOptions = {}): Promise<T> {
    const headers = this.headers(method, { key: options.key ?? newKey(), ifMatch: options.ifMatch });
    return upload<T>(method, this.address + target, file, headers, options, (answer) => this.remember(answer));
  }

  private async call<T>(method: Method, path: string, asked: Loose): Promise<Answer<T>> {
    const target = fill(path, asked.path) + search(asked.query);
    const key = method === "get" ? undefined : (asked.key ?? newKey());
    const headers = this.headers(method, { key, ifMatch: asked.ifMatch });
    const body = asked.body === undefined ? undefined : JSON.stringify(asked.body);
    if (body !== undefined) headers.set("content-type", "application/json");
    const answer = await this.send(method, target, { headers, body, signal: asked.signal });
    if (!answer.ok) throw await failureOf(answer);
    const holdsJson = answer.headers.get("content-type")?.includes("json");
    return {
      data: (holdsJson ? await answer.json() : undefined) as T,
      status: answer.status,
      etag: answer.headers.get("etag") ?? undefined,
      replayed: answer.headers.get("idempotent-replayed") === "true",
      headers: answer.headers,
    };
  }

  private headers(method: Method, asked: { key?: string; ifMatch?: string }): Headers {
    const headers = new Headers({ accept: "application/json" });
    const { credential } = this.options;
    if (credential) headers.set("authorization", `Bearer ${credential}`);
    if (method === "get" && this.consistency) headers.set("pando-consistency", this.consistency);
    if (method !== "get" && this.csrf) headers.set("x-csrf-token", this.csrf);
    if (asked.key) headers.set("idempotency-key", asked.key);
    if (asked.ifMatch) headers.set("if-match", asked.ifMatch);
    return headers;
  }

  /** Sends a request until it is answered. Every repetition is the same request with the same key, so it happens once. */
  private async send(method: Method, target: string, init: RequestInit): Promise<Response> {
    const attemptsMax = this.options.attemptsMax ?? 4;
    for (let attempt = 1; ; attempt++) {
      let pause = Math.min(PAUSE_MS * 2 ** (attempt - 1), PAUSE_MS_MAX) * (0.5 + Math.random() / 2);
      try {
        const request = this.options.fetch ?? fetch;
        const answer = await request(this.address + target, { ...init, method: method.toUpperCase() });
        if (!PASSING.includes(answer.status) || attempt >= attemptsMax) {
          this.remember((name) => answer.headers.get(name));
          return answer;
        }
        pause = retryAfter(answer) ?? pause;
        await answer.body?.cancel();
      } catch (error) {
        if (init.signal?.aborted) throw error;
        if (attempt >= attemptsMax) throw new Failure(0, "unreachable", "the server does not answer");
      }
      await sleep(Math.min(pause, PAUSE_MS_MAX), init.signal ?? undefined);
    }
  }

  private remember(header: (name: string) => string | null): void {
    this.consistency = header("pando-consistency") ?? this.consistency;
  }
}

type Loose = {
  path?: Record<string, unknown>;
  query?: Record<string, unknown>;
  body?: unknown;
  key?: string;
  ifMatch?: string;
  signal?: AbortSignal;
};

/** A key for one intention: keep it while a person tries to get one thing done, whatever fails meanwhile. */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The target of the next page, if there is one. */
export function nextPage(headers: Headers): string | undefined {
  return headers.get("link")?.match(/<([^>]*)>;\s*rel="next"/)?.[1];
}

function fill(path: string, values: Record<string, unknown> = {}): string {
  return path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(values[name])));
}

function search(query: Record<string, unknown> = {}): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return text && `?${text}`;
}

/** `Retry-After` in milliseconds: it has seconds, or a date. */
function retryAfter(answer: Response): number | undefined {
  const value = answer.headers.get("retry-after");
  if (!value) return undefined;
  const seconds = Number(value);
  const pause = Number.isNaN(seconds) ? Date.parse(value) - Date.now() : seconds * 1000;
  return Number.isNaN(pause) ? undefined : Math.max(0, pause);
}

export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(timer);
      reject(signal?.reason ?? new Error("ended"));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", end);
      resolve();
    }, ms);
    if (signal?.aborted) end();
    signal?.addEventListener("abort", end, { once: true });
  });
}

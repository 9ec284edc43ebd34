/** Server-sent events over `fetch`, so that they work with a credential, in a browser and in Node. */

import { failureOf } from "./failure.ts";
import { sleep } from "./client.ts";

export interface ServerEvent {
  id?: string;
  kind: string;
  /** The data, as the JSON that it is. */
  data: unknown;
}

export interface EventOptions {
  /** Begin after this event. */
  after?: string;
  signal?: AbortSignal;
  /** Called when the stream begins or breaks off. */
  onState?: (state: "open" | "lost") => void;
}

const PAUSE_MS = 1_000;
const PAUSE_MS_MAX = 15_000;

type Send = (headers: Headers, signal?: AbortSignal) => Promise<Response>;

/** The events of a stream, which is taken up again after the last event that arrived. */
export async function* events(send: Send, options: EventOptions): AsyncGenerator<ServerEvent> {
  let last = options.after;
  for (let lost = 0; !options.signal?.aborted; lost++) {
    try {
      const headers = new Headers({ accept: "text/event-stream" });
      if (last) headers.set("last-event-id", last);
      const answer = await send(headers, options.signal);
      // A request that is refused will be refused again.
      if (!answer.ok || !answer.body) throw await failureOf(answer);
      options.onState?.("open");
      for await (const event of parse(answer.body)) {
        lost = 0;
        last = event.id ?? last;
        if (event.data !== undefined) yield event;
      }
    } catch (error) {
      if (options.signal?.aborted) return;
      const status = (error as { status?: number }).status ?? 0;
      if (status >= 400 && status < 500) throw error;
    }
    options.onState?.("lost");
    await sleep(Math.min(PAUSE_MS * 2 ** lost, PAUSE_MS_MAX), options.signal).catch(() => undefined);
  }
}

async function* parse(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerEvent> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let text = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      text += decoder.decode(value, { stream: true });
      const blocks = text.split("\n\n");
      text = blocks.pop() ?? "";
      for (const block of blocks) yield read(block);
    }
  } finally {
    void reader.cancel().catch(() => undefined);
  }
}

/** Reads one block of lines. */
export function read(block: string): ServerEvent {
  const event: ServerEvent = { kind: "message", data: undefined };
  for (const line of block.split("\n")) {
    const [name, value] = [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).replace(/^ /, "")];
    if (name === "id") event.id = value;
    if (name === "event") event.kind = value;
    if (name === "data") event.data = JSON.parse(value);
  }
  return event;
}

/** Uploads. A browser tells how much of a body has left only for XMLHttpRequest; elsewhere `fetch` does. */

import { Failure, failureOf } from "./failure.ts";
import type { Method } from "./operations.ts";

export interface UploadOptions {
  /** The key of the intention: the same file that is sent again with it is added once. */
  key?: string;
  ifMatch?: string;
  signal?: AbortSignal;
  /** The part of the file that has left, from 0 to 1. */
  onProgress?: (share: number) => void;
  /** The media type, if it is not that of the file. */
  mediaType?: string;
}

type Remember = (header: (name: string) => string | null) => void;

export async function upload<T>(
  method: Method,
  target: string,
  file: Blob,
  headers: Headers,
  options: UploadOptions,
  remember: Remember,
): Promise<T> {
  headers.set("content-type", options.mediaType ?? file.type);
  const send = typeof XMLHttpRequest === "undefined" ? byFetch : byXhr;
  const answer = await send(method, target, file, headers, options);
  remember((name) => answer.headers.get(name));
  if (!answer.ok) throw await failureOf(answer);
  return (await answer.json()) as T;
}

async function byFetch(method: Method, target: string, body: Blob, headers: Headers, options: UploadOptions): Promise<Response> {
  const answer = await fetch(target, { method: method.toUpperCase(), headers, body, signal: options.signal });
  options.onProgress?.(1);
  return answer;
}

function byXhr(method: Method, target: string, body: Blob, headers: Headers, options: UploadOptions): Promise<Response> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(method.toUpperCase(), target);
    headers.forEach((value, name) => request.setRequestHeader(name, value));
    request.upload.onprogress = (event) => options.onProgress?.(event.total ? event.loaded / event.total : 0);
    request.onerror = () => reject(new Failure(0, "unreachable", "the server does not answer"));
    request.onabort = () => reject(new Failure(0, "stopped", "the upload was stopped"));
    request.onload = () => {
      const answered = new Headers();
      for (const line of request.getAllResponseHeaders().trim().split(/\r?\n/)) {
        const [name = "", ...rest] = line.split(": ");
        answered.append(name, rest.join(": "));
      }
      const text = request.status === 204 ? null : request.responseText;
      resolve(new Response(text, { status: request.status, headers: answered }));
    };
    options.signal?.addEventListener("abort", () => request.abort(), { once: true });
    request.send(body);
  });
}

/** The client of this page, and how its parts ask it. */

import { Failure, Pando, type components } from "@pando/client";
import { QueryClient } from "@tanstack/react-query";

/** Six attempts: a server that is started again answers the third or the fourth of them. */
export const pando = new Pando({ attemptsMax: 6 });

export type Schemas = components["schemas"];

export const queries = new QueryClient({
  defaultOptions: {
    queries: {
      // The client repeats requests itself.
      retry: false,
      staleTime: 5_000,
      refetchOnWindowFocus: true,
    },
    mutations: { retry: false },
  },
});

/** The words for an error that a person can act on. */
export function wordsFor(error: unknown): string {
  if (!(error instanceof Failure)) return error instanceof Error ? error.message : "Something went wrong.";
  switch (error.status) {
    case 0:
      return "The server does not answer. Check that it runs; what you typed is still here, and you can try again.";
    case 401:
      return "Your session has ended. Log in again; what you typed is still here.";
    case 403:
      return `You may not do this: ${error.message}.`;
    case 412:
      return "Somebody has changed this in the meantime.";
    case 507:
      return "The server's disk is full. Nothing was changed.";
    default:
      return `${sentence(error.message)}${error.status >= 500 && error.requestId ? ` Name the request ${error.requestId} when you report this.` : ""}`;
  }
}

export function sentence(text: string): string {
  const first = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(first) ? first : `${first}.`;
}

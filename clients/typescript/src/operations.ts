/** Types of the operations, taken from the description that the server gives of itself. */

import type { paths } from "./generated.ts";

export type Method = "get" | "post" | "put" | "patch" | "delete";

/** The paths that have an operation with this method. */
export type PathOf<M extends Method> = {
  [P in keyof paths]: paths[P] extends Record<M, { responses: unknown }> ? P : never;
}[keyof paths];

type Operation<M extends Method, P extends PathOf<M>> = paths[P] extends Record<M, infer O> ? O : never;
type Parameters<O> = O extends { parameters: infer P } ? P : never;
type PathParameters<O> = Parameters<O> extends { path: infer P } ? { path: P } : { path?: undefined };
type QueryParameters<O> = Parameters<O> extends { query?: infer Q } ? { query?: Q } : { query?: undefined };
type BodyOf<O> = O extends { requestBody: { content: { "application/json": infer B } } }
  ? { body: B }
  : O extends { requestBody?: { content: { "application/json": infer B } } }
    ? { body?: B }
    : { body?: undefined };
type Content<R> = R extends { content: { "application/json": infer C } } ? C : undefined;
type Success<R> = { [S in keyof R]: S extends 200 | 201 | 202 | 204 ? Content<R[S]> : never }[keyof R];

/** The data of a successful answer. */
export type Data<M extends Method, P extends PathOf<M>> =
  Operation<M, P> extends { responses: infer R } ? Success<R> : never;

/** What every request may say besides its parameters. */
export interface Options {
  /** The version that a change is about, as the `etag` of an answer has it: the change is refused if there is a newer one. */
  ifMatch?: string;
  /** The key of an intention. All requests with one key are carried out once. Without it every call is an intention of its own. */
  key?: string;
  signal?: AbortSignal;
}

export type Asked<M extends Method, P extends PathOf<M>> = PathParameters<Operation<M, P>> &
  QueryParameters<Operation<M, P>> &
  BodyOf<Operation<M, P>> &
  Options;

/** An answer. */
export interface Answer<T> {
  data: T;
  status: number;
  /** The version of the thing, for `ifMatch`. */
  etag?: string;
  /** Whether this is the kept answer to an earlier request with the same key. */
  replayed: boolean;
  headers: Headers;
}

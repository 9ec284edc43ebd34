/** A client of Pando. */

export { type ClientOptions, Pando, newKey, nextPage } from "./client.ts";
export type { EventOptions, ServerEvent } from "./events.ts";
export { Failure, type FieldFault } from "./failure.ts";
export type { Answer, Asked, Data, Method, PathOf } from "./operations.ts";
export type { UploadOptions } from "./upload.ts";
export type { components } from "./generated.ts";

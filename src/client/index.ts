/**
 * A client of `troupe/web` for browsers, edges and scripts: calls, streams, runs that continue over lost connections, and topics. It needs `fetch` and
 * has no dependencies.
 *
 * @example
 * ```ts
 * import { createClient } from "troupe/client";
 *
 * const client = createClient({ url: "https://agents.example.com", headers: { authorization: "Bearer 6f1d0c5a98b24e73" } });
 * const controller = new AbortController();
 * const events = client.subscribe("news/tech", { signal: controller.signal });
 * ```
 *
 * @packageDocumentation
 */

export { createClient } from "./client.ts";
export { ClientError } from "./client-error.ts";
export type {
  Client,
  ClientAnswer,
  ClientCallOptions,
  ClientChunk,
  ClientErrorCode,
  ClientEvent,
  ClientOptions,
  ClientRun,
  ClientRunOptions,
  ClientRunStatus,
  ClientSignalOptions,
  ClientStream,
  ClientSubscribeOptions,
  FieldsOf,
  Plain,
} from "./client-types.ts";

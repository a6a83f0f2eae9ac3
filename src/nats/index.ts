/**
 * The coordination store and the mail of a cluster in NATS JetStream. It needs the package `@nats-io/transport-node`.
 *
 * @example
 * ```ts
 * import { openNatsStore } from "troupe/nats";
 *
 * await using store = await openNatsStore("nats://127.0.0.1:4222");
 * ```
 *
 * @packageDocumentation
 */

export type { NatsLogOptions, NatsStoreOptions, NatsTlsOptions } from "./nats-options.ts";
export { openNatsLog } from "./open-nats-log.ts";
export { openNatsStore } from "./open-nats-store.ts";

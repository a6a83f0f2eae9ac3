/**
 * The host on any transport. `troupe/grpc` has the same host on gRPC; use this entry point for another transport, for the
 * types of the host's options and counters, and for `keepHeapRoom`.
 *
 * @example
 * ```ts
 * import { Host } from "troupe/host";
 * import { grpcListener } from "troupe/transport";
 *
 * await using host = new Host({ listener: grpcListener(), address: "127.0.0.1:0" }, { maxPendingCalls: 10_000 });
 * await host.start();
 * ```
 *
 * @packageDocumentation
 */

export type { HostCounters } from "./counters.ts";
export { keepHeapRoom } from "./heap-room.ts";
export type { HostParts, RunningHostCounters } from "./host.ts";
export { Host } from "./host.ts";
export type { HostOptions } from "./options.ts";
export { HostServicer } from "./servicer.ts";
export type { Authorize } from "./sessions/authorize.ts";
export type { SessionReport } from "./sessions/session-report.ts";

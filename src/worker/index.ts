/**
 * The worker on any transport. `troupe/grpc` has the same worker on gRPC; use this entry point for another transport, and
 * for the types of the worker's options, status and counters.
 *
 * @example
 * ```ts
 * import { grpcDialer } from "troupe/transport";
 * import { WorkerRuntime } from "troupe/worker";
 *
 * const worker = new WorkerRuntime({ dialer: grpcDialer(), address: "127.0.0.1:50051" });
 * ```
 *
 * @packageDocumentation
 */

export type { StopWhenSignalOptions } from "../process/internal.ts";
export type { WorkerStatus } from "./connection/worker-status.ts";
export type { ReconnectOptions, WhileDisconnectedOptions } from "./reconnect-options.ts";
export type { WorkerCounters } from "./worker-counters.ts";
export type { WorkerOptions, WorkerRuntimeOptions } from "./worker-options.ts";
export { WorkerRuntime } from "./worker-runtime.ts";
export type { WorkerClosed } from "./worker-stop.ts";

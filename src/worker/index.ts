export type { ReconnectOptions, WhileDisconnectedOptions } from "./connection/reconnect-options.ts";
export type { WorkerStatus } from "./connection/worker-status.ts";
export type { StopWhenSignalOptions } from "./process-signals.ts";
export type { WorkerCounters } from "./worker-counters.ts";
export type { WaitOptions, WorkerClosed } from "./worker-lifecycle.ts";
export type { WorkerOptions, WorkerRuntimeOptions } from "./worker-options.ts";
export { WorkerRuntime } from "./worker-runtime.ts";

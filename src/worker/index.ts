export type { ReconnectOptions, WhileDisconnectedOptions } from "./reconnect-options.ts";
export { defaultStopSignals, untilSignal } from "./until-signal.ts";
export type { WorkerCounts } from "./worker-counts.ts";
export type { WorkerClosed } from "./worker-lifecycle.ts";
export type { WorkerOptions, WorkerRuntimeOptions } from "./worker-options.ts";
export { WorkerRuntime } from "./worker-runtime.ts";
export type { WorkerStatus } from "./worker-status.ts";

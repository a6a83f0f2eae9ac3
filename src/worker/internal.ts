// What other rooms and tests use of this room. index.ts holds what users use.
export type { StopWhenSignalOptions } from "./process-signals.ts";
export { stopWhenSignal } from "./process-signals.ts";
export type { WorkerOptions } from "./worker-options.ts";
export { WorkerRuntime } from "./worker-runtime.ts";

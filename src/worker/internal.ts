// Names that other rooms and tests use. index.ts has the names for users.
export { type WorkerOptions, workerKinds } from "./worker-options.ts";
export { WorkerRuntime } from "./worker-runtime.ts";

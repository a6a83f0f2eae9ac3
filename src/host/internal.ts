// What other rooms and tests use of this room. index.ts holds what users use.
export { keepHeapRoom } from "./heap-room.ts";
export type { HostStartOptions, HostStopOptions } from "./host.ts";
export { Host } from "./host.ts";
export type { InspectOptions } from "./inspection.ts";
export { type HostOptions, hostKinds } from "./options.ts";
export type { DrainWorkerOptions } from "./placement/worker-drains.ts";
export { HostServicer } from "./servicer.ts";
export { assertQueueFits } from "./sessions/queue-bound.ts";

export type { Authorize } from "./authorize.ts";
export type { HostCounters } from "./counters.ts";
export { keepHeapRoom } from "./heap-room.ts";
export type { HostParts, RunningHostCounters } from "./host.ts";
export { Host } from "./host.ts";
export type { HostOptions } from "./options.ts";
export { HostServicer } from "./servicer.ts";
export type { SessionReport } from "./session-report.ts";

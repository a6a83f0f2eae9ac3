export type { HostCounters } from "./counters.ts";
export { keepHeapRoom } from "./heap-room.ts";
export type { HostParts, RunningHostCounters } from "./host.ts";
export { Host } from "./host.ts";
export type { HostOptions } from "./options.ts";
export { HostServicer } from "./servicer.ts";
export type { Authorize } from "./sessions/authorize.ts";
export type { SessionReport } from "./sessions/session-report.ts";

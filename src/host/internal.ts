// What other rooms and tests use of this room. index.ts holds what users use.
export { keepHeapRoom } from "./heap-room.ts";
export { Host } from "./host.ts";
export type { HostOptions } from "./options.ts";
export { HostServicer } from "./servicer.ts";

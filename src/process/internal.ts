// What other rooms and tests use of this room.
export type { StopWhenSignalOptions } from "./process-signals.ts";
export { stopWhenSignal } from "./process-signals.ts";

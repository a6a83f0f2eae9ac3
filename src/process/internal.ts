// What other rooms and tests use of this room.
export { type StopWhenSignalOptions, stopWhenSignal, stopWhenSignalKinds } from "./process-signals.ts";

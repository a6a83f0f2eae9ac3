export type { HostCounters } from "./counters.ts";
export { keepHeapRoom } from "./heap-room.ts";
export type { HostParts, HostStartOptions, HostStopOptions, RunningHostCounters } from "./host.ts";
export { Host } from "./host.ts";
export type {
  HostSnapshot,
  InspectedSession,
  InspectedType,
  InspectOptions,
  SessionReport,
} from "./inspection.ts";
export type {
  CallOccurrence,
  ChannelKind,
  CloseReason,
  DeniedOccurrence,
  EventOccurrence,
  HostObserver,
  HostOccurrence,
  LimitedOccurrence,
  RegistrationOccurrence,
  SessionOccurrence,
} from "./observer.ts";
export type { HostOptions } from "./options.ts";
export type { Admittance, Authorize, Principal } from "./principal.ts";
export { HostServicer } from "./servicer.ts";

/**
 * The host on any transport. `troupe/grpc` has the same host on gRPC. Use this entry point for another transport, for the types
 * of the host's options, counters and occurrences, and for `keepHeapRoom`.
 *
 * @example
 * ```ts
 * import { Host } from "troupe/host";
 * import { grpcListener } from "troupe/transport";
 *
 * await using host = new Host({ listener: grpcListener(), address: "127.0.0.1:0" }, { maxPendingCalls: 10_000 });
 * await host.start();
 * ```
 *
 * @packageDocumentation
 */

export type { MailOccurrence, ReminderOccurrence } from "../core/internal.ts";
export type { ClusterHostCounters } from "./cluster/cluster-counters.ts";
export type { HostClusterOptions, HostClusterSettings, PeerTransport } from "./cluster-options.ts";
export type { HostCounters } from "./counters.ts";
export { keepHeapRoom } from "./heap-room.ts";
export type { HostParts, HostStartOptions, HostStopOptions, RunningHostCounters } from "./host.ts";
export { Host } from "./host.ts";
export type { HostHealth } from "./host-health.ts";
export type {
  CallOccurrence,
  ChannelKind,
  ClaimOccurrence,
  CloseReason,
  CommitOccurrence,
  DeniedOccurrence,
  EventOccurrence,
  HostObserver,
  HostOccurrence,
  LeaseOccurrence,
  LimitedOccurrence,
  MessageSender,
  PeerOccurrence,
  RegistrationOccurrence,
  SessionOccurrence,
  ShardOccurrence,
} from "./observer.ts";
export type {
  HostSnapshot,
  InspectedSession,
  InspectedType,
  InspectedWorker,
  InspectOptions,
  SessionReport,
} from "./operations/inspection.ts";
export type { HostOptions } from "./options.ts";
export type { DrainOutcome, DrainWorkerOptions } from "./placement/worker-drains.ts";
export type { Admittance, Authorize, Principal } from "./principal.ts";
export { HostServicer } from "./servicer.ts";

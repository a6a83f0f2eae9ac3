// What other rooms and tests use of this room. index.ts holds what users use.

export type { JoinedOthers, JoinOthersOptions } from "./cluster/join-others.ts";
export { joinOthers } from "./cluster/join-others.ts";
export {
  clusterSettingsKinds,
  type HostClusterOptions,
  type HostClusterSettings,
  type PeerTransport,
} from "./cluster-options.ts";
export type { HostCounters } from "./counters.ts";
export { keepHeapRoom } from "./heap-room.ts";
export type { HostStartOptions, HostStopOptions } from "./host.ts";
export { Host } from "./host.ts";
export type { HostHealth } from "./host-health.ts";
export type { HostOperations } from "./host-operations.ts";
export type { HostObserver, HostOccurrence } from "./observer.ts";
export type { AgentOperations } from "./operations/agent-operations.ts";
export type { UnansweredHost } from "./operations/agents-of-cluster.ts";
export type { ClusterHost, ClusterOperations, ClusterReport } from "./operations/cluster-operations.ts";
export type { PublishedEvent, PublishOutcome } from "./operations/event-publishing.ts";
export type { HostStatus } from "./operations/host-status.ts";
export type { InspectOptions } from "./operations/inspection.ts";
export type { MessagesOfType } from "./operations/message-types.ts";
export type { Publisher } from "./operations/outside-sender.ts";
export type { ActivityRow, KeptActivity } from "./operations/rows/activity-rows.ts";
export type { CallRow } from "./operations/rows/call-rows.ts";
export type { CounterRow } from "./operations/rows/counter-rows.ts";
export type { Failure, FailureKind, KeptFailures } from "./operations/rows/failure-rows.ts";
export { type FeedQuestion, type FeedRow, maySeeOccurrence, type ToldFeeds } from "./operations/rows/feed-rows.ts";
export type { HopRow } from "./operations/rows/hop-rows.ts";
export type { KeptTrace, KeptTraces, TracedHop } from "./operations/rows/kept-traces.ts";
export type { RowPlaces } from "./operations/rows/merged-rows.ts";
export {
  type ListedHost,
  noSuchHost,
  type RowAtHost,
  type RowKinds,
  type RowsPage,
} from "./operations/rows/rows-of-hosts.ts";
export type { TracePartRow } from "./operations/rows/trace-rows.ts";
export { type Viewer, viewerOf } from "./operations/rows/viewer.ts";
export type { WorkerRow } from "./operations/rows/worker-rows.ts";
export { type HostOptions, hostKinds } from "./options.ts";
export { isOtherHost } from "./peers/host-caller.ts";
export type { DrainOutcome, DrainWorkerOptions } from "./placement/worker-drains.ts";
export { HostServicer, operationsOf } from "./servicer.ts";
export type { ShownPayload } from "./sessions/message-payloads.ts";
export { assertQueueFits } from "./sessions/queue-bound.ts";

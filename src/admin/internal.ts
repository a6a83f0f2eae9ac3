// What other rooms and tests use of this room. It has no index.ts: the command line alone opens an admin entry.
export { AdminEntry, type OpenAddress } from "./admin-entry.ts";
export type { AdminHost } from "./admin-host.ts";
export { isAgentName } from "./agent-names.ts";
export { clusterProblems, protocolProblems, streamProblems } from "./cluster-problems.ts";
export type { CallRow, SessionRow, TopicRow, TypeRow, WorkerRow } from "./cluster-rows.ts";
export { type FeedEvent, feedKinds } from "./feed/feed-event.ts";
export type { TypeActivityRow } from "./model/type-activity.ts";
export type { ActivityStep } from "./model/whole-activity.ts";
export { formatCursor, parseCursor } from "./pages.ts";
export type { ActivityAnswer, CountersAnswer } from "./routes/activity-routes.ts";
export type { AgentDetail, AgentRow, AgentsAnswer } from "./routes/agent-routes.ts";
export type { CallAnswer, MessagesAnswer, PermissionAnswer } from "./routes/call-routes.ts";
export type { ClusterAnswer, HostDrainReport, HostRow } from "./routes/cluster-routes.ts";
export { type DeadDetail, type DeadRow, isLetter, lettersAtOnce } from "./routes/dead-letter-routes.ts";
export type { Configuration, ConfigurationAnswer, HostAnswer } from "./routes/host-routes.ts";
export type { FailurePage } from "./routes/message-routes.ts";
export type { ReminderRow } from "./routes/reminder-routes.ts";
export type { CancelledRun, RunDetail, RunRow, RunText } from "./routes/run-routes.ts";
export type { SubscriptionRow } from "./routes/subscription-routes.ts";
export type { StoryAnswer, TracePage, TraceRow } from "./routes/trace-routes.ts";
export { type DrainReport, longestGraceMs } from "./routes/worker-routes.ts";
export {
  assertJsonState,
  deleteState,
  type ListedRow,
  listStates,
  type NewState,
  nameOf,
  putState,
  type ShownState,
  showState,
} from "./stored-states.ts";

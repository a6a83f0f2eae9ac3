// What other rooms and tests use of this room. index.ts holds what users use.
export type { AgentMove } from "./claims/agent-move.ts";
export type { ClusterClaims } from "./claims/cluster-claims.ts";
export type { HeldClaim, HeldClaims } from "./claims/held-claims.ts";
export { ClusterMember, type LifeEnd, type MemberListener } from "./cluster-member.ts";
export type { ClusterTimes } from "./cluster-times.ts";
export type { CoordinationStore } from "./coordination-store.ts";
export { ElapsedTime } from "./elapsed-time.ts";
export { preferred } from "./hosts/preferred.ts";
export { readClaim } from "./records/claim-record.ts";
export { type HostRecord, parseHost, parseShard, parseType, parseWorker } from "./records/records.ts";
export { hashOf, tokenOf } from "./records/store-keys.ts";
export type { OwnedShard, ShardUse } from "./shards/shard-owners.ts";
export type { ExclusivePlace } from "./types/cluster-types.ts";
export { WorkerLease } from "./workers/worker-lease.ts";
export type { SessionEnd, WorkerSession } from "./workers/worker-session.ts";
export type { JoinOutcome } from "./workers/worker-sessions.ts";

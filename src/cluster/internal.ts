// What other rooms and tests use of this room. index.ts holds what users use.
export type { AgentMove, GiveOutcome } from "./claims/agent-move.ts";
export type { ClaimOutcome, ClusterClaims } from "./claims/cluster-claims.ts";
export type { HeldClaim, HeldClaims } from "./claims/held-claims.ts";
export { ClusterMember, type LifeEnd } from "./cluster-member.ts";
export type { ClusterTimes } from "./cluster-times.ts";
export { preferred } from "./hosts/preferred.ts";
export { readClaim } from "./records/claim-record.ts";
export { parseHost, parseType, parseWorker } from "./records/records.ts";
export { WorkerLease } from "./workers/worker-lease.ts";
export type { SessionEnd, WorkerSession } from "./workers/worker-session.ts";

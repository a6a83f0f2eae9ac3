// What other rooms and tests use of this room. index.ts holds what users use.
export { ClusterMember, type LifeEnd } from "./cluster-member.ts";
export type { ClusterTimes } from "./cluster-times.ts";
export { preferred } from "./hosts/preferred.ts";
export { readClaim } from "./records/claim-record.ts";
export { parseHost, parseShard, parseType, parseWorker } from "./records/records.ts";
export { hashOf, tokenOf } from "./records/store-keys.ts";
export type { OwnedShard, ShardUse } from "./shards/shard-owners.ts";
export { WorkerLease } from "./workers/worker-lease.ts";
export type { SessionEnd, WorkerSession } from "./workers/worker-session.ts";

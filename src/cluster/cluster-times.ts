/** Time limits of a cluster in milliseconds. All hosts of a cluster have the same. */
export interface ClusterTimes {
  /** Lease of a host. Default: 20 s. */
  readonly leaseMs: number;
  /** Lease that a host gives to a worker. Default: 3 s. */
  readonly workerLeaseMs: number;
  /** Time that a worker has for joining another host before its host buries it. Default: 3 s. */
  readonly rejoinGraceMs: number;
  /** The same for a record without a session that this host knows. Default: 9 s. */
  readonly orphanGraceMs: number;
  /** Time for which other hosts wait for the preferred one before they bury a dead host's worker. Default: 2 s. */
  readonly undertakerDelayMs: number;
  /** For how long a claim is used after its last write. Default: 12 h. */
  readonly claimUseMs: number;
  /** After which time a claim is refreshed. Default: 4 h. */
  readonly claimRefreshMs: number;
  /** For how long records of dead hosts and gone workers are kept. Default: 48 h. */
  readonly recordsKeptMs: number;
  /** For how long no worker has served an agent type before its name is free again. Longer than a claim lives. Default: 25 h. */
  readonly nameKeptMs: number;
  /** How long a worker's join may take. Default: 10 s. */
  readonly joinTimeoutMs: number;
  /** How long an owner of a shard waits for what is under way there before it frees the shard. Default: 30 s. */
  readonly handOverMs: number;
  /** Pause before something is asked of the store again. Default: 300 ms. */
  readonly retryMs: number;
  /** Time after which a host looks at its duties again. Default: 1 s. */
  readonly dutyMs: number;
}

const hourMs = 3_600_000;

export const defaultTimes: ClusterTimes = {
  leaseMs: 20_000,
  workerLeaseMs: 3_000,
  rejoinGraceMs: 3_000,
  orphanGraceMs: 9_000,
  undertakerDelayMs: 2_000,
  claimUseMs: 12 * hourMs,
  claimRefreshMs: 4 * hourMs,
  recordsKeptMs: 48 * hourMs,
  nameKeptMs: 25 * hourMs,
  joinTimeoutMs: 10_000,
  handOverMs: 30_000,
  retryMs: 300,
  dutyMs: 1_000,
};

/** The part of a lease that its holder counts on. Clocks differ in speed by at most 1 %. */
export const holderShare = 0.97;

/** The part of a lease after which a host that has not renewed it counts as silent. It renews five times in a lease. */
export const silentShare = 0.22;

/** The part of a lease for which others wait. */
export const othersShare = 1.03;

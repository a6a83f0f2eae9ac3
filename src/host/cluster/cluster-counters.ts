/** Counts what a host has done in its cluster since it was made. Numbers only grow, except those under "now". */
export interface ClusterHostCounters {
  /** Now: other hosts to which this one has a link, shards of the mail that it reads, and milliseconds until it is isolated. */
  readonly peerLinks: number;
  readonly shardsHeld: number;
  readonly leaseLeftMs: number;
  /** Now: agents at other hosts whose places it knows, and those whose messages wait for a place. */
  readonly routes: number;
  readonly gates: number;
  /** Renewals of this host's lease, and those that failed at first. */
  readonly leaseRenewals: number;
  readonly lateRenewals: number;
  /** Times that the lease was over before it was renewed. */
  readonly isolations: number;
  /** Times that this host noticed that the store had forgotten writes. */
  readonly storeRegressions: number;
  /** Workers that have joined, and those of them that came from another connection. */
  readonly joins: number;
  readonly rejoins: number;
  /** Workers that this host has declared gone, and hosts that it has declared dead. */
  readonly burials: number;
  readonly deathsDeclared: number;
  /** Claims that this host has made, claims that another host had made before, and refreshed ones. */
  readonly claims: number;
  readonly claimConflicts: number;
  readonly claimRefreshes: number;
  /** Claims that another host has taken. */
  readonly lostClaims: number;
  /** Agents that were given to other workers. */
  readonly moves: number;
  /** Workers that this host has asked to go to hosts with fewer. */
  readonly balancedWorkers: number;
  /** Shards of the mail that this host has finished, and left to another one. */
  readonly shardsHandedOver: number;
  /** Names of agent types that this host has given free. */
  readonly namesFreed: number;
  /** Links of both kinds that were opened, and those that have ended. */
  readonly openedLinks: number;
  readonly endedLinks: number;
  /** Events sent to other hosts, and those that found the queue for a host full. */
  readonly sentPeerEvents: number;
  readonly droppedPeerEvents: number;
  /** Of links that were lost: events that had not left, and those of which nothing showed that they arrived. Never too few. */
  readonly lostPeerEvents: number;
  readonly unconfirmedPeerEvents: number;
  /** Calls that came back from other hosts. */
  readonly bouncedCalls: number;
  /** Workers and subscriptions that other hosts told under names which no host takes. */
  readonly refusedNames: number;
  /** Subscriptions that were answered although some host may not know them yet. */
  readonly lateSubscriptions: number;
}

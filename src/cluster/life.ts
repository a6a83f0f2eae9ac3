import type { MakeId } from "../core/internal.ts";
import type { ClusterTimes } from "./cluster-times.ts";
import type { StoreEntry } from "./coordination-store.ts";
import type { LifeStore } from "./life-store.ts";

/** The things that the parts of a `ClusterMember` share. */
export interface Life {
  readonly hostId: string;
  readonly store: LifeStore;
  readonly times: ClusterTimes;
  readonly counters: ClusterCounters;
  readonly makeId: MakeId;
  /**
   * The most time that may have passed on this machine, in milliseconds: for what this host holds, its lease and its claims. A wall clock
   * that is set forward makes it jump.
   */
  now(): number;
  /**
   * The time of the monotonic clock, in milliseconds: for waiting until what others hold is over. A wall clock that is set forward must
   * not make a host bury those that live.
   */
  monotonicNow(): number;
  /** Whether this host has its lease, and knows what there is. It is asked again after each wait (rule R2). */
  isServing(): boolean;
  /** Milliseconds until the lease of this host is over; 0: it is. */
  leaseLeftMs(): number;
  /** The generation of the store, as it is known now. */
  generation(): number;
  /** Whether this life is over. All outcomes of the store are `unknown` then. */
  isOver(): boolean;
  /** Announces an entry that this host has written, so that others learn it before their watches tell it. */
  announce(entry: StoreEntry): void;
  /** Resolves after so many milliseconds, and at once when the life is over. */
  pause(ms: number): Promise<void>;
}

/** Numbers that only grow. */
export interface ClusterCounters {
  /** Renewals of this host's lease, and those that failed at first. */
  leaseRenewals: number;
  lateRenewals: number;
  /** Times that the lease was over before it was renewed. */
  isolations: number;
  /** Times that this host noticed that the store had forgotten writes. */
  storeRegressions: number;
  /** Workers that have joined, and those of them that came from another connection. */
  joins: number;
  rejoins: number;
  /** Workers that this host has declared gone, and hosts that it has declared dead. */
  burials: number;
  deathsDeclared: number;
  /** Claims that this host has made, claims that another host had made before, and refreshed ones. */
  claims: number;
  claimConflicts: number;
  claimRefreshes: number;
  /** Claims that another host has taken. */
  lostClaims: number;
  /** Agents that were given to other workers. */
  moves: number;
  /** Names of agent types that this host has given free. */
  namesFreed: number;
  /** Shards of the mail that this host has finished, and freed for another one. */
  shardsHandedOver: number;
}

export function createClusterCounters(): ClusterCounters {
  return {
    ...{ leaseRenewals: 0, lateRenewals: 0, isolations: 0, storeRegressions: 0, joins: 0, rejoins: 0, burials: 0 },
    ...{ deathsDeclared: 0, claims: 0, claimConflicts: 0, claimRefreshes: 0, lostClaims: 0, moves: 0 },
    ...{ namesFreed: 0, shardsHandedOver: 0 },
  };
}

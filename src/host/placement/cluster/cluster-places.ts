import type { ClusterClaims, ClusterMember, ExclusivePlace } from "../../../cluster/internal.ts";

/** A shared type as the cluster knows it. */
export interface TypeInCluster {
  /** The terms of its first registration, as `formatTerms` writes them. */
  readonly terms: string;
  readonly era: number;
}

/** Which workers of a cluster have which agents of shared types, as placement sees it. It changes with each life of the host. */
export interface ClusterPlaces {
  /** The first part of epochs. */
  readonly generation: number;
  readonly claims: Pick<ClusterClaims, "present" | "claim" | "holderOf" | "freeze" | "giveSleeper">;
  /** Undefined: the cluster knows no such type, or it is not shared. */
  sharedType(agentType: string): TypeInCluster | undefined;
  /** Undefined: the type is shared, or the cluster knows none of that name. */
  exclusive(agentType: string): ExclusivePlace | undefined;
  /** Whether a worker serves a shared type, at any host. */
  isServer(agentType: string, workerId: string): boolean;
  /** The ids of live workers that serve a shared type. */
  serversOf(agentType: string): readonly string[];
  /** Whether it is known that no host will ever serve the worker again. */
  isGone(workerId: string): boolean;
}

/** The places of a host that is a member of a cluster. `member`: its present life. */
export function placesOf(member: () => ClusterMember): ClusterPlaces {
  return {
    get generation() {
      return member().generation;
    },
    get claims() {
      return member().claims;
    },
    sharedType: (agentType) => {
      const record = member().types.get(agentType);
      return record?.mode === "shared" ? record : undefined;
    },
    exclusive: (agentType) => member().types.exclusive(agentType),
    isServer: (agentType, workerId) => member().types.isServer(agentType, workerId),
    serversOf: (agentType) =>
      member()
        .types.serversOf(agentType)
        .map(({ workerId }) => workerId),
    isGone: (workerId) => member().knownWorkers.get(workerId)?.record.state === "gone",
  };
}

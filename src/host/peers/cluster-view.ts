import type { Peer } from "../sessions/peer.ts";

/** Another host of the cluster that is up. */
export interface ClusterHost {
  /** Random, made when the host's process started; never used again. */
  readonly hostId: string;
  /** Where it listens for the links of other hosts. */
  readonly address: string;
}

/** Learns which hosts are up, and which workers are gone. Called one at a time; it must not throw. */
export interface ClusterHostsListener {
  hostUp(host: ClusterHost): void;
  hostDown(hostId: string): void;
  /** No host will serve the worker any more: its types are free. */
  workerGone(workerId: string): void;
}

/** A host's right to an exclusive type. `held`: another worker of the cluster serves it. `unavailable`: the cluster can't say now. */
export type TypeGrant =
  | { readonly at: "granted" }
  /** `by`: the client id of the worker. */
  | { readonly at: "held"; readonly by: string }
  | { readonly at: "unavailable"; readonly reason: string };

/** A client of this host that registers an agent type. */
export interface TypeApplicant {
  readonly agentType: string;
  readonly clientId: string;
  /** Whether its worker shares the type with others. */
  readonly isShared: boolean;
  /** Of a shared type: its terms, as `formatTerms` writes them. */
  readonly terms?: string | undefined;
  /** The address of the client: registrations of one address have their share of what waits. Default: none. */
  readonly party?: string | undefined;
}

// protocol.md §12
/**
 * The cluster as the links between hosts see it. A host sees its own changes at once, and changes of other hosts perhaps late. Methods never reject and never throw.
 */
export interface ClusterView {
  readonly name: string;
  /** This host. */
  readonly hostId: string;
  /** Whether this host may hand anything to workers now. False: it has lost touch with the cluster. */
  readonly isServing: boolean;
  /** Tells of each other host that is up, at once, and of each change after that. Ends with the returned function. */
  watchHosts(listener: ClusterHostsListener): () => void;
  /** Whether another host has said that it stops, or is known to be gone. */
  isLeaving(hostId: string): boolean;
  /** Returns the id of the worker that serves an exclusive type anywhere in the cluster; undefined: none is known. */
  workerOf(agentType: string): string | undefined;
  /**
   * Asks the cluster itself for that worker, which takes a few seconds at most; afterwards `workerOf` knows the answer. Undefined: no worker serves
   * the type, or the cluster does not answer.
   */
  lookUp(agentType: string): Promise<string | undefined>;
  /** Takes an agent type for a client of this host, before the host registers it. No worker of another host can register it after that. */
  claimType(applicant: TypeApplicant): Promise<TypeGrant>;
  /**
   * Whether the host that has served a worker has vanished: it does not renew its lease, and no host has a channel of the worker. The cluster gives
   * up the worker when the lease is over, unless a host tells of it first. True also for a moment after that.
   */
  isLost(workerId: string): boolean;
  /** Another host tells of a channel of a worker. */
  workerHere(workerId: string): void;
  /** No client of this host serves the type any more; or, of a shared type, this client. */
  releaseType(agentType: string, clientId?: string): void;
  /** Whether the cluster knows the type as one that workers of several hosts may share. */
  isShared(agentType: string): boolean;
  /** Counts the connections of a worker: of two channels of one worker, wherever they are, the one with the higher number counts. */
  sessionNumber(channel: Peer): number;
}

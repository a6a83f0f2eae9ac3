import type { CoordinationStore } from "../cluster/internal.ts";
import {
  type DurableLog,
  flag,
  number,
  type OptionKind,
  type OptionKinds,
  options as optionsOf,
  type StateStore,
  TroupeError,
  text,
  withMethods,
} from "../core/internal.ts";
import type { Dialer, Listener } from "../transport/internal.ts";

/** The network between the hosts of a cluster. */
export interface PeerTransport {
  readonly dialer: Dialer;
  readonly listener: Listener;
  /** Whether both ends of each connection prove who they are, as by mutual TLS. */
  readonly isMutual: boolean;
}

/** The cluster that a host joins, whatever the network between its hosts is. */
export interface HostClusterSettings {
  /** The store on which all hosts of the cluster agree: `openNatsStore` of `troupe/nats`. The host does not close it. */
  readonly store: CoordinationStore;
  /**
   * The mail of the cluster, which all its hosts share: `openNatsLog` of `troupe/nats`. The host does not close it. Default: the cluster keeps no
   * told messages and no durable events.
   */
  readonly log?: DurableLog | undefined;
  /** Names the cluster: `a-z`, `0-9` and `-`, at most 32. All its hosts have the same name. Default: `troupe`. */
  readonly name?: string | undefined;
  /** Names this host for people. Default: no name. */
  readonly label?: string | undefined;
  /** `host:port` on which this host listens for the links of other hosts; port 0 takes a free one. */
  readonly peerAddress: string;
  /** `host:port` at which other hosts reach `peerAddress`. Default: the address on which it listens. */
  readonly advertisePeer?: string | undefined;
  /** `host:port` at which workers reach this host; the cluster tells it to workers that leave another host. Default: the address on which it listens. */
  readonly advertiseWorkers?: string | undefined;
  /** A secret that all hosts of the cluster know. Beyond loopback a cluster needs it, or certificates. */
  readonly peerSecret?: string | undefined;
  /**
   * Milliseconds after which a host that does not renew its lease counts as dead. All hosts of a cluster have the same. An election of NATS may
   * take 9 s, so that less than 12 000 loses hosts. Default: 20 000.
   */
  readonly leaseMs?: number | undefined;
  /** Milliseconds of the lease that a host gives to a worker. All hosts of a cluster have the same. Default: 3 000. */
  readonly workerLeaseMs?: number | undefined;
  /** Milliseconds that a worker has for joining another host before its agents and types are free. Default: 3 000. */
  readonly rejoinGraceMs?: number | undefined;
  /**
   * Agents of shared types at other hosts whose places this host remembers; it forgets the least used. The next message of a forgotten one takes
   * a moment longer. A million take some 90 MB. Default: 1 000 000.
   */
  readonly maxRoutes?: number | undefined;
  /**
   * Milliseconds that a worker has to let an agent go that moves to another worker. When they are over, the agent stays. A worker that stops has
   * its own time (`drainGraceMs`). Default: 30 000.
   */
  readonly moveTimeoutMs?: number | undefined;
  /**
   * Whether this host asks Troupe's workers to go to hosts with fewer workers. It begins when it has had many more than the mean for 10 s. They
   * move in order, so that no call is lost. AutoGen's workers stay. Default: true.
   */
  readonly balanceWorkers?: boolean | undefined;
  /** Bytes that may wait for one other host. Beyond that its calls are `overloaded`, and events are dropped and counted. Default: 64 MiB. */
  readonly maxPeerQueuedBytes?: number | undefined;
  /** Frames that may wait for one other host. Default: 200 000. */
  readonly maxPeerQueuedFrames?: number | undefined;
}

/** The cluster that a host joins, and the network between its hosts. */
export interface HostClusterOptions extends HostClusterSettings {
  readonly transport: PeerTransport;
}

const nameKind: OptionKind = {
  expected: "a text of a-z, 0-9 and -, of at most 32 characters",
  accepts: (value) => typeof value === "string" && /^[a-z0-9-]{1,32}$/.test(value),
};

/** An election of a NATS leader takes longer than less would allow. */
const someLease = { from: 3_000, to: 3_600_000 };

export const clusterSettingsKinds: OptionKinds<HostClusterSettings> = {
  store: withMethods("a coordination store, such as that of openNatsStore,", "read", "write", "watch", "announce"),
  log: withMethods("a durable log, such as that of openNatsLog,", "append", "take", "bury", "deadLetters"),
  name: nameKind,
  label: text,
  peerAddress: text,
  advertisePeer: text,
  advertiseWorkers: text,
  peerSecret: text,
  leaseMs: number(someLease),
  workerLeaseMs: number({ from: 500, to: 60_000 }),
  rejoinGraceMs: number({ from: 0, to: 60_000 }),
  maxRoutes: number({ from: 0, to: 10_000_000 }),
  moveTimeoutMs: number({ from: 100, to: 3_600_000 }),
  balanceWorkers: flag,
  maxPeerQueuedBytes: number({ from: 1_024, to: 4 * 1_024 ** 3 }),
  maxPeerQueuedFrames: number({ from: 16, to: 10_000_000 }),
};

export const clusterKinds: OptionKinds<HostClusterOptions> = {
  ...clusterSettingsKinds,
  transport: optionsOf<PeerTransport>({
    dialer: withMethods("a dialer", "dial"),
    listener: withMethods("a listener", "listen"),
    isMutual: flag,
  }),
};

/** Throws `invalid-argument` for options that exclude a cluster. */
export function assertFitsCluster({
  allowMultipleOwners,
  stateStore,
}: {
  readonly allowMultipleOwners?: boolean | undefined;
  readonly stateStore?: StateStore | undefined;
}): void {
  if (allowMultipleOwners === true) {
    const text = "A host of a cluster can't let several clients own a type: leave allowMultipleOwners out.";
    throw new TroupeError("invalid-argument", text);
  }
  if (stateStore === undefined || stateStore.writers === "many") return;
  const text =
    "A host of a cluster can't keep states in a store that takes one writer: the other hosts could not write them.";
  const advice =
    'Use openPostgresStore with writers: "many", or leave stateStore out: then the cluster keeps no states, and persistent agents are refused.';
  throw new TroupeError("invalid-argument", `${text} ${advice}`);
}

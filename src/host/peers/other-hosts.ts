import type { PeekedEvent, PeerEventTarget } from "../../protocol/internal.ts";
import type { CallContext, RpcError } from "../../transport/internal.ts";
import type { Admitted } from "../sessions/admission.ts";
import type { Peer } from "../sessions/peer.ts";
import type { TypeApplicant, TypeGrant } from "./cluster-view.ts";
import type { ControlLink } from "./host-ways.ts";
import type { Pattern } from "./told/told-presence.ts";
import type { CallLink, WorkerElsewhere } from "./worker-elsewhere.ts";

/**
 * Where the calls to agents of a type go that no worker of this host serves. `later`: they wait under a key until more is known. `busy`: the
 * cluster is asked for too many types already.
 */
export type FoundElsewhere =
  | { readonly at: "found"; readonly peer: Peer }
  | { readonly at: "later"; readonly key: string }
  | { readonly at: "busy" };

/** A unary call that another host answers for this one. */
export interface ForwardedCall {
  readonly method: string;
  readonly clientId: string;
  readonly principal: Admitted;
  readonly request: Uint8Array;
  readonly call: Pick<CallContext, "metadata" | "signal" | "account">;
}

// protocol.md §12.10
/** The link to a host that searches for rings. */
export interface RingLink {
  sendWaiting(notice: Uint8Array): void;
}

/** Another host that is up, and takes part in the search for rings over hosts. Without a link it is not known whether it does. */
export interface RingHost {
  readonly hostId: string;
  readonly link: RingLink | undefined;
}

// protocol.md §12
/** The other hosts of a cluster, as the rooms of a host use them. A lone host has none. */
export interface OtherHosts {
  /** False: this host is alone, and no message pays for other hosts. */
  readonly areThere: boolean;
  // protocol.md §12.7
  /** Whether this host may hand anything to workers now. False: it has lost touch with its cluster. */
  readonly isServing: boolean;
  /**
   * Finds the worker of another host that serves an exclusive type. Undefined: no host serves it. `party`: the address of the caller, for whom
   * the host asks the cluster. Without it the host asks nothing, and a type that it does not know comes `later`.
   */
  find(agentType: string, party?: string): FoundElsewhere | undefined;
  /** Whether the worker of a channel here serves an exclusive type. It may not have registered the type at this host yet. */
  isPlaceOf(channel: Peer, agentType: string): boolean;
  // protocol.md §12.2
  /** The key of the gate at which all messages for an exclusive type must wait now. Undefined: they go to its place. Ask only while gates are in use. */
  gateFor(agentType: string): string | undefined;
  /** A message for an exclusive type comes back from a worker elsewhere. Returns the key of the gate at which it waits until all have come back. */
  cameBack(from: WorkerElsewhere, agentType: string): string;
  /** The same for an event, which names no worker. */
  eventCameBack(link: CallLink, agentType: string): string;
  /** The id of the worker that serves an exclusive type anywhere in the cluster, as far as is known. */
  workerIdOf(agentType: string): string | undefined;
  // protocol.md §12.2
  /** Whether the host of a worker has vanished, or the cluster has given up the worker a moment ago. What waits for the worker waits longer. */
  isLost(workerId: string): boolean;
  /** Whether the worker that serves an exclusive type has a channel here: it has yet to register the type at this host. */
  isExpectedHere(agentType: string): boolean;
  /** A worker elsewhere did not take a call for this type. The host looks up the place of the type before it uses it again. `party`: as above. */
  doubt(agentType: string, party: string): void;
  /**
   * Sends an event to each worker of another host that subscribes, except for types of this host. Returns how many got it. `hold`: the event must
   * wait at a gate for a type.
   */
  publish(
    from: Peer,
    event: PeekedEvent,
    isServedHere: (agentType: string) => boolean,
    hold: (gate: string, agentType: string) => void,
  ): number;
  /** Calls `visit` for each agent type of other hosts that subscribes to a topic. */
  visitTypes(topicType: string, visit: (agentType: string) => void): void;
  /** Sends an event to agents of shared types at other hosts. Returns how many hosts get it. */
  sendEvent(from: Peer, bytes: Uint8Array, targets: ReadonlyMap<CallLink, readonly PeerEventTarget[]>): number;
  /** Finds the newest channel that a worker has at another host. */
  workerOf(workerId: string): WorkerElsewhere | undefined;
  /** Finds the way to the control channel of a client of another host. */
  controlOf(clientId: string): ControlLink | undefined;
  /** A worker of this host has opened a data channel, or has ended it. */
  workerOpened(channel: Peer): void;
  workerEnded(channel: Peer): void;
  // protocol.md §12.3
  /** A worker moves to another host. Events match its patterns until other hosts have told them. */
  workerMoving(channel: Peer, patterns: Iterable<Pattern>): void;
  /** Resolves when other hosts have told the patterns of all workers that have moved. */
  moved(): Promise<void>;
  /** Takes an agent type for a client of this host. Undefined: the host already has the type. */
  claimType(applicant: TypeApplicant): Promise<TypeGrant> | undefined;
  /** A client has become the first of this host to serve a type. */
  typeOwned(applicant: TypeApplicant): void;
  /** No client of this host serves the type: it lost its last one, or the registration that the claim was for has failed. */
  releaseType(agentType: string): void;
  /** A client of this host does not serve a shared type any more. */
  releaseShared(agentType: string, clientId: string): void;
  /** A worker of this host gets no new agents of shared types any more. */
  workerDraining(channels: readonly Peer[]): void;
  /** Resolves when all hosts know the subscriptions that this host has now, or after 2 s. Undefined: there are no others. */
  subscribed(): Promise<void> | undefined;
  /** Resolves when all other hosts have read what this one has sent them so far, or after 1 s. */
  wasRead(): Promise<void>;
  /** Has the host that has the client's data channel answer a unary call. Undefined: no other host has it. */
  forward(call: ForwardedCall): Promise<Uint8Array> | undefined;
  /** Has all other hosts answer a unary call, within 1 s by default. Returns the answer of each, or the reason for which it has none. */
  askAll(call: ForwardedCall, timeoutMs?: number): Promise<readonly (Uint8Array | RpcError)[]>;
  // protocol.md §12.10
  /** The id of this host in its cluster. */
  readonly hostId: string;
  /** The other hosts that take part in the search for rings. */
  readonly ringHosts: readonly RingHost[];
  /** Asks one host. Undefined: there is no link to it. */
  askHost(hostId: string, call: ForwardedCall, timeoutMs: number): Promise<Uint8Array | RpcError> | undefined;
  /** Closes all links. Twice is fine; never rejects. */
  close(): Promise<void>;
}

/** The keys of the gates at which messages wait: until more is known of a type, or of the channel of a worker. */
export function keyOfType(agentType: string): string {
  return `type ${agentType}`;
}

export function keyOfWorker(workerId: string): string {
  return `${workerPrefix}${workerId}`;
}

const workerPrefix = "worker ";

/** Whether a gate holds what waits for a worker whose host has vanished. */
export function isGateOfLost({ now }: OthersSeat, key: string): boolean {
  return key.startsWith(workerPrefix) && now.isLost(key.slice(workerPrefix.length));
}

/** Where a host keeps its `OtherHosts`. It is alone until it joins others. */
export interface OthersSeat {
  now: OtherHosts;
}

/** The others of a lone host. */
export const noOthers: OtherHosts = {
  areThere: false,
  isServing: true,
  find: () => undefined,
  isPlaceOf: () => false,
  gateFor: () => undefined,
  cameBack: (from) => keyOfWorker(from.worker.id),
  eventCameBack: (_link, agentType) => keyOfType(agentType),
  workerIdOf: () => undefined,
  isLost: () => false,
  isExpectedHere: () => false,
  doubt: () => undefined,
  publish: () => 0,
  visitTypes: () => undefined,
  sendEvent: () => 0,
  workerOf: () => undefined,
  controlOf: () => undefined,
  workerOpened: () => undefined,
  workerEnded: () => undefined,
  workerMoving: () => undefined,
  moved: async () => undefined,
  claimType: () => undefined,
  typeOwned: () => undefined,
  releaseType: () => undefined,
  releaseShared: () => undefined,
  workerDraining: () => undefined,
  subscribed: () => undefined,
  wasRead: async () => undefined,
  forward: () => undefined,
  askAll: async () => [],
  hostId: "",
  ringHosts: [],
  askHost: () => undefined,
  close: async () => undefined,
};

import type { PeekedEvent } from "../../protocol/internal.ts";
import type { CallContext, RpcError } from "../../transport/internal.ts";
import type { Admitted } from "../sessions/admission.ts";
import type { Peer } from "../sessions/peer.ts";
import type { TypeApplicant, TypeGrant } from "./cluster-view.ts";
import type { ControlLink } from "./host-ways.ts";

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
  readonly call: CallContext;
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
  /** A worker elsewhere did not take a call for this type. The host looks up the place of the type before it uses it again. `party`: as above. */
  doubt(agentType: string, party: string): void;
  /** Sends an event to each worker of another host that subscribes, except for types of this host. Returns how many got it. */
  publish(from: Peer, event: PeekedEvent, isServedHere: (agentType: string) => boolean): number;
  /** Finds the way to the control channel of a client of another host, and to that of the worker which serves an exclusive type there. */
  controlOf(clientId: string): ControlLink | undefined;
  controlOfType(agentType: string): ControlLink | undefined;
  /** A worker of this host has opened a data channel, or has ended it. */
  workerOpened(channel: Peer): void;
  workerEnded(channel: Peer): void;
  /** Takes an agent type for a client of this host. Undefined: the host already has the type. */
  claimType(applicant: TypeApplicant): Promise<TypeGrant> | undefined;
  /** A client has become the first of this host to serve a type. */
  typeOwned(applicant: TypeApplicant): void;
  /** No client of this host serves the type: it lost its last one, or the registration that the claim was for has failed. */
  releaseType(agentType: string): void;
  /** Resolves when all hosts know the subscriptions that this host has now, or after 2 s. Undefined: there are no others. */
  subscribed(): Promise<void> | undefined;
  /** Has the host that has the client's data channel answer a unary call. Undefined: no other host has it. */
  forward(call: ForwardedCall): Promise<Uint8Array> | undefined;
  /** Has all other hosts answer a unary call; returns the answer of each, or the reason for which it has none in time. */
  askAll(call: ForwardedCall): Promise<readonly (Uint8Array | RpcError)[]>;
  /** Closes all links. Twice is fine; never rejects. */
  close(): Promise<void>;
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
  doubt: () => undefined,
  publish: () => 0,
  controlOf: () => undefined,
  controlOfType: () => undefined,
  workerOpened: () => undefined,
  workerEnded: () => undefined,
  claimType: () => undefined,
  typeOwned: () => undefined,
  releaseType: () => undefined,
  subscribed: () => undefined,
  forward: () => undefined,
  askAll: async () => [],
  close: async () => undefined,
};

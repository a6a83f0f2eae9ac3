import {
  type Capability,
  type FrameBytes,
  isAnnounced,
  readCapabilities,
  type WorkerIdentity,
} from "../../protocol/internal.ts";
import type { MemoryAccount, Metadata } from "../../transport/internal.ts";
import type { SessionAccess } from "../access/session-access.ts";
import { limits } from "../limits.ts";
import type { CallerQuota } from "../quotas/quota-check.ts";
import type { DotnetWorker } from "./dotnet-worker.ts";
import type { IncomingCalls, OutgoingCalls } from "./pending-call.ts";

/**
 * The use of a frame: a call to the peer, an answer or a chunk for its own call, an event, notice or heartbeat. `first-call`: a call that opens a
 * route to another host.
 */
export type FrameUse = "call" | "first-call" | "answer" | "chunk" | "event" | "notice" | "heartbeat";

/** Whether a peer's queue took a frame; if not, why. `full`: the worker does not read fast enough. */
export type SendOutcome = "queued" | "too-large" | "full" | "closed";

/** The traits of a worker that the host reads from the metadata of its channel. */
export interface PeerTraits {
  // protocol.md §7
  /** False: events without `proto_data` make this peer reopen its channel and lose what it was doing. */
  readonly takesJsonEvents: boolean;
  /** A longer frame would end the peer's stream. */
  readonly maxFrameBytes: number;
  // protocol.md §11.1
  /** True: the peer is Troupe's and understands notices. The host sends them to no other peer. */
  readonly isAnnounced: boolean;
  // protocol.md §11.12
  /** The capabilities that both this host and the peer name. Empty for a peer that is not announced. */
  readonly capabilities: ReadonlySet<Capability>;
  // protocol.md §2.1
  /** Milliseconds in which the worker may come back under its id and find what it had registered; 0: not at all. */
  readonly reconnectGraceMs: number;
}

/** The sender or receiver of calls and events. It is a worker with a session at this host, a worker of another host, or another host that calls. */
export interface Peer {
  /** The client id of the worker. */
  readonly id: string;
  readonly traits: PeerTraits;
  /** The identity that the worker gives itself. A stock worker has its client id for id and name. */
  readonly worker: WorkerIdentity;
  /** Set for a worker of .NET's, to which the host sends only what its reader survives (`filterByPeer`). */
  readonly dotnet: DotnetWorker | undefined;
  readonly isOpen: boolean;
  // protocol.md §11.20
  /** The name of the worker's principal. Undefined: the worker is anonymous, or belongs to another host. */
  readonly principal?: string | undefined;
  /** Holds the worker to the rules of the host. Undefined: there are none, or another host holds it to them. */
  readonly access?: SessionAccess | undefined;
  /** Holds the worker to the quotas of the host. Undefined: there are none, or another host holds it to them. */
  readonly quota?: CallerQuota | undefined;
  /** Takes what the host keeps for this worker. */
  readonly account: MemoryAccount;
  /** Calls that the worker made, and calls that it was sent, without an outcome yet. Kept here, so that a call costs no look-up. */
  readonly outgoingCalls: OutgoingCalls;
  readonly incomingCalls: IncomingCalls;
  /** The number of the last event that the event router found this peer for, so that it needs no set for each event. */
  lastEvent: number;
  /**
   * Queues a frame within the peer's bound. `from`: the caller of a call, or the target of a chunk. A link to another host shares its queue
   * between them.
   */
  send(frame: FrameBytes, use: FrameUse, from?: Peer): SendOutcome;
  /** Resolves when what was queued so far has left for the network, or never will. Undefined for workers of other hosts. */
  flushed?(): Promise<void>;
  /**
   * Sends a notice on the fastest way that the peer has opened. Only for announced peers. `from`: the caller whose share of a link to another
   * host it takes. Without it a link that has no space for it ends.
   */
  notify(notice: Uint8Array, from?: Peer): SendOutcome;
}

/** Finds the peer of a client id that has a channel open now. */
export interface PeerTable {
  of(clientId: string): Peer | undefined;
}

/** gRPC libraries name themselves `grpc-<language>/…`, perhaps after the application's own name. Troupe's has no such limits. */
const stockLibrary = /(^|\s)grpc-(?!troupe)/;
const dotnetLibrary = /(^|\s)grpc-dotnet\//;

export interface TraitOptions {
  /** The capabilities that this host names. */
  readonly capabilities: ReadonlySet<Capability>;
  readonly filterByPeer: boolean;
  readonly stockPeerMaxBytes: number;
  readonly reconnectGraceMs: number | undefined;
}

/** Reads a peer's traits from its announcement and the `user-agent` that its library sends. */
export function peerTraits(metadata: Metadata, options: TraitOptions): PeerTraits {
  const userAgent = metadata["user-agent"] ?? "";
  const isFiltered = options.filterByPeer;
  const isDotnet = dotnetLibrary.test(userAgent);
  return {
    takesJsonEvents: !isFiltered || !isDotnet,
    maxFrameBytes: isFiltered && stockLibrary.test(userAgent) ? options.stockPeerMaxBytes : Number.POSITIVE_INFINITY,
    isAnnounced: isAnnounced(metadata),
    capabilities: new Set([...readCapabilities(metadata)].filter((word) => options.capabilities.has(word))),
    reconnectGraceMs: options.reconnectGraceMs ?? (isDotnet ? limits.dotnetGraceMs : 0),
  };
}

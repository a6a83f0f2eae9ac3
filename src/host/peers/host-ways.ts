import type {
  FrameHead,
  PeekedChunk,
  PeerBounce,
  PeerCall,
  PeerFlush,
  PeerMessageName,
  PeerUnary,
} from "../../protocol/internal.ts";
import type { MemoryAccount, RpcError } from "../../transport/internal.ts";
import type { Admitted } from "../sessions/admission.ts";
import type { Peer } from "../sessions/peer.ts";
import type { TypeApplicant } from "./cluster-view.ts";
import type { HostCaller } from "./host-caller.ts";
import type { CallLink, WorkerElsewhere } from "./worker-elsewhere.ts";

/** A frame that could not be read, or for which there was no space. */
export interface BadFrame {
  readonly reason: string;
  readonly isOverload: boolean;
}

/** An event of another host. */
export interface EventOfHost {
  /** Not 0: the first message on a route to its agent. */
  readonly number: number;
  /** Exclusive types that get it, and types that one host alone shares. */
  readonly exclusive: readonly string[];
  /** Shared types of agents that get it, with the channel that the other host names. Undefined: that has ended. */
  readonly shared: readonly { readonly channel: Peer | undefined; readonly types: readonly string[] }[];
  readonly frame: Uint8Array;
}

/** The other end of a link, as what control envelopes come from and go to. */
export interface ControlLink {
  readonly id: string;
  readonly account: MemoryAccount;
  /** Without a principal: the host refuses requests that only workers of the same principal may make. */
  readonly owner: { readonly principal: Admitted };
  readonly isElsewhere: true;
  /** Has that host answer a request in the name of its sender's principal. Undefined: that host asks this one. */
  readonly ask:
    | ((envelope: Uint8Array, from: ControlAsker, signal: AbortSignal) => Promise<Uint8Array | RpcError>)
    | undefined;
  /** False: it takes nothing now. `from`: the sender, if it is not the host. */
  send(envelope: Uint8Array, from?: { readonly account: MemoryAccount }): boolean;
}

/** A client of this host that asks on its control channel. */
export interface ControlAsker {
  readonly id: string;
  readonly account: MemoryAccount;
  readonly owner: { readonly principal: Admitted };
}

/** The ways by which frames of other hosts reach the rooms of a host. None of them throws. */
export interface HostWays {
  /** The answer to a call that this host has sent on the link. Or only the beginning of one, or of a chunk, can be read. */
  readonly answered: (link: CallLink, frame: Uint8Array) => void;
  readonly answeredBadly: (link: CallLink, head: FrameHead, bad: BadFrame) => void;
  /** A chunk of such an answer. */
  readonly chunkCame: (link: CallLink, chunk: PeekedChunk) => void;
  /** A call or event comes back that no worker got. */
  readonly bounced: (link: CallLink, bounce: PeerBounce) => void;
  /** The first message on a route was handed over. */
  readonly taken: (link: CallLink, what: PeerMessageName) => void;
  /** A worker at another host has a channel, or takes new agents no more. */
  readonly workerHere: (worker: WorkerElsewhere) => void;
  /** Its channel has ended. Its host answers its calls, or gives them back. */
  readonly workerAway: (worker: WorkerElsewhere) => void;
  /** The link has ended: the calls of these workers fail. */
  readonly linkLost: (link: CallLink, workers: readonly WorkerElsewhere[]) => void;
  /** Whether a client of this host serves an agent type; of a shared one, whether this client does. */
  readonly isServed: (applicant: TypeApplicant) => boolean;
  /** A client of this host has lost an agent type to a worker of another host. */
  readonly typeLost: (applicant: TypeApplicant) => void;

  /** Hands a call of another host to a channel here. False: its worker does not serve the type any more. */
  readonly called: (caller: HostCaller, call: Omit<PeerCall, "kind" | "slot">, channel: Peer) => boolean;
  readonly calledBadly: (caller: HostCaller, head: FrameHead, bad: BadFrame) => void;
  readonly noticed: (caller: HostCaller, notice: Uint8Array) => void;
  /** The link of the caller has ended: no caller waits for its calls. */
  readonly callerGone: (caller: HostCaller) => void;
  /** Hands an event to workers here. */
  readonly published: (caller: HostCaller, event: EventOfHost) => void;
  /**
   * Sends back what waits for an agent and was not handed over; then it says so by `onDone`. Without an agent type: what waits for exclusive
   * types of the worker of a channel here. `channel`: undefined if it has ended.
   */
  readonly flush: (caller: HostCaller, flush: PeerFlush, channel: Peer | undefined, onDone: () => void) => void;
  /** Answers a unary call of a client whose channel is here, one for all hosts, or one of a host itself. `from`: the id of the host that asks. */
  readonly asked: (ask: PeerUnary, account: MemoryAccount, from: string) => Promise<Uint8Array | RpcError>;

  /** Other hosts are up, or this host has other links to them. It comes after the change. */
  readonly hostsChanged: () => void;
  /** Another host says that a call waits long for its turn there, or no more. */
  readonly waitingCame: (caller: HostCaller, notice: Uint8Array) => void;

  readonly controlCame: (from: ControlLink, envelope: Uint8Array) => void;
  readonly controlGone: (from: ControlLink) => void;
}

/** An occurrence on a link, for the host's log. */
export interface LinkOccurrence {
  readonly what: "opened" | "lost" | "not-opened" | "accepted" | "ended" | "refused" | "passed-by";
  readonly hostId: string;
  /** For people: the reason. */
  readonly detail: string;
}

/** The links between this host and another one. */
export interface LinkReport {
  readonly hostId: string;
  /** Whether this host has a link to the other one, and the other one has one to this. */
  readonly isOpen: boolean;
  readonly isAccepted: boolean;
  /** Frames and bytes that wait for the other host, and events that found no space. */
  readonly queuedFrames: number;
  readonly queuedBytes: number;
  readonly droppedEvents: number;
  /** Milliseconds of the last heartbeat and its answer. Null: none was answered yet. */
  readonly roundTripMs: number | null;
}

/** Counts what links have done. Numbers only grow. */
export interface LinkCounters {
  /** Links of both kinds that were opened, and those that have ended. */
  openedLinks: number;
  endedLinks: number;
  /** Events sent to other hosts. */
  sentEvents: number;
  /** Events that found the queue for a host full. */
  droppedEvents: number;
  /** Of links that were lost: events that had not left, and those of which nothing showed that they arrived. Never too few. */
  lostEvents: number;
  unconfirmedEvents: number;
  /** Calls that came back from other hosts. */
  bouncedCalls: number;
  /** Workers and subscriptions that other hosts told under names which no host takes. */
  refusedNames: number;
  /** Subscriptions that were answered although some host may not know them yet. */
  lateSubscriptions: number;
}

export function createLinkCounters(): LinkCounters {
  return {
    ...{ openedLinks: 0, endedLinks: 0, sentEvents: 0, droppedEvents: 0, lostEvents: 0, unconfirmedEvents: 0 },
    ...{ bouncedCalls: 0, refusedNames: 0, lateSubscriptions: 0 },
  };
}

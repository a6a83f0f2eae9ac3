import type {
  Capability,
  FrameBytes,
  PeerEventTarget,
  PeerFlush,
  WorkerHere,
  WorkerIdentity,
  WorkerLoad,
} from "../../protocol/internal.ts";
import type { MemoryAccount } from "../../transport/internal.ts";
import type { FrameUse, Peer, PeerTraits, SendOutcome } from "../sessions/peer.ts";
import { createIncomingCalls, createOutgoingCalls } from "../sessions/pending-call.ts";

/** Where a call for such a worker comes from. */
export interface CallOrigin {
  /** The address of the caller. */
  readonly party: string;
  /** The name of its principal. Undefined: it is anonymous. */
  readonly principal: string | undefined;
  /** The other host says when it has handed the call over. */
  readonly isFirst: boolean;
}

/** The link to the host of such a worker. */
export interface CallLink {
  readonly hostId: string;
  readonly isOpen: boolean;
  // protocol.md §11.21
  /** Whether the other host passes on the chunks of answers. */
  readonly passesChunks: boolean;
  readonly account: MemoryAccount;
  /** Sends a call to the worker in a slot. */
  sendCall(slot: number, frame: FrameBytes, origin: CallOrigin): SendOutcome;
  /** Sends an event for workers there. `party`: the address of its publisher. `number`: not 0 for one that opens a route. */
  sendEvent(targets: readonly PeerEventTarget[], frame: Uint8Array, party: string, number: number): SendOutcome;
  /** `party`: the address whose share of the link it takes. Undefined: the host's own, and a link without space for it ends. */
  sendFlush(flush: PeerFlush, party: string | undefined): SendOutcome;
  /** `party`: as for a flush. */
  sendNotice(notice: Uint8Array, party: string | undefined): SendOutcome;
}

/** A data channel of a worker at another host, as the target of calls. */
export class WorkerElsewhere implements Peer {
  readonly id: string;
  readonly slot: number;
  /** Of two channels of one worker the one with the higher number counts. */
  readonly session: number;
  readonly link: CallLink;
  readonly traits: PeerTraits;
  readonly worker: WorkerIdentity;
  readonly dotnet = undefined;
  readonly account: MemoryAccount;
  readonly outgoingCalls = createOutgoingCalls();
  readonly incomingCalls = createIncomingCalls();
  /** This worker as the place of an agent type. */
  readonly place: { readonly at: "found"; readonly peer: WorkerElsewhere } = { at: "found", peer: this };
  lastEvent = 0;
  /** It gets no new agents of shared types. */
  isDraining: boolean;
  #isOpen = true;
  /** As its host has told it. Undefined: not yet. */
  #told: WorkerLoad | undefined;
  /** The agents and calls of this host there, when the told load was first used. */
  #then: WorkerLoad | undefined;

  constructor({ slot, session, clientId, worker, capabilities, isDraining }: WorkerHere, link: CallLink) {
    this.isDraining = isDraining;
    this.id = clientId;
    this.slot = slot;
    this.session = session;
    this.link = link;
    this.worker = worker;
    this.account = link.account;
    this.traits = traitsOf(capabilities, link.passesChunks);
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  send(frame: FrameBytes, use: FrameUse, from?: Peer): SendOutcome {
    if (!this.#isOpen) return "closed";
    const party = from?.account.party ?? "";
    return this.link.sendCall(this.slot, frame, { party, principal: from?.principal, isFirst: use === "first-call" });
  }

  notify(notice: Uint8Array, from?: Peer): SendOutcome {
    // Its host still has the calls that it has not answered.
    return this.link.sendNotice(notice, from?.account.party);
  }

  /** Its host has told its load. */
  setLoad(load: WorkerLoad): void {
    this.#told = load;
    this.#then = undefined;
  }

  /**
   * Its load as its host has told it, with what this host has sent it since. `agents`: those to which this host knows the way; they are all that
   * is known before its host has told anything.
   */
  loadWith(agents: number): WorkerLoad {
    const now = { agents, calls: this.incomingCalls.size };
    if (this.#told === undefined) return now;
    this.#then ??= now;
    return {
      agents: this.#told.agents + Math.max(0, now.agents - this.#then.agents),
      calls: this.#told.calls + Math.max(0, now.calls - this.#then.calls),
    };
  }

  /** The channel has ended or takes no more calls, or the link to its host has ended. */
  markClosed(): void {
    this.#isOpen = false;
  }
}

/**
 * The other host does for its worker what depends on it: it keeps paths for one that knows none, and withholds what one can't read. It knows
 * notices itself.
 */
function traitsOf(capabilities: ReadonlySet<Capability>, passesChunks: boolean): PeerTraits {
  return {
    takesJsonEvents: true,
    maxFrameBytes: Number.POSITIVE_INFINITY,
    isAnnounced: true,
    // A worker whose host passes no chunks on answers in one piece.
    capabilities: new Set([...capabilities].filter((word) => word !== "streams" || passesChunks).concat("turns")),
    reconnectGraceMs: 0,
  };
}

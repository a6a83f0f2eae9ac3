import type { Capability, FrameBytes, PeerEventTarget, WorkerHere, WorkerIdentity } from "../../protocol/internal.ts";
import type { MemoryAccount } from "../../transport/internal.ts";
import type { FrameUse, Peer, PeerTraits, SendOutcome } from "../sessions/peer.ts";
import { createIncomingCalls, createOutgoingCalls } from "../sessions/pending-call.ts";

/** The link to the host of such a worker. */
export interface CallLink {
  readonly hostId: string;
  readonly account: MemoryAccount;
  /** Sends a call to the worker in a slot. `party`: the address of the caller. */
  sendCall(slot: number, frame: FrameBytes, party: string): SendOutcome;
  /** Sends an event for the workers there that serve these types. `party`: the address of its publisher. */
  sendEvent(targets: readonly PeerEventTarget[], frame: Uint8Array, party: string): SendOutcome;
  sendNotice(notice: Uint8Array): SendOutcome;
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
  #isOpen = true;

  constructor({ slot, session, clientId, worker, capabilities }: WorkerHere, link: CallLink) {
    this.id = clientId;
    this.slot = slot;
    this.session = session;
    this.link = link;
    this.worker = worker;
    this.account = link.account;
    this.traits = traitsOf(capabilities);
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  send(frame: FrameBytes, _use: FrameUse, from?: Peer): SendOutcome {
    if (!this.#isOpen) return "closed";
    return this.link.sendCall(this.slot, frame, from?.account.party ?? "");
  }

  notify(notice: Uint8Array): SendOutcome {
    return this.#isOpen ? this.link.sendNotice(notice) : "closed";
  }

  /** The channel has ended, or the link to its host. */
  markClosed(): void {
    this.#isOpen = false;
  }
}

/**
 * The other host does for its worker what depends on it: it keeps paths for one that knows none, and withholds what one can't read. It knows
 * notices itself.
 */
function traitsOf(capabilities: ReadonlySet<Capability>): PeerTraits {
  return {
    takesJsonEvents: true,
    maxFrameBytes: Number.POSITIVE_INFINITY,
    isAnnounced: true,
    capabilities: new Set([...capabilities, "turns"]),
    reconnectGraceMs: 0,
  };
}

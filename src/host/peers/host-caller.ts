import { encodePeerAnswer, type FrameBytes, type WorkerIdentity } from "../../protocol/internal.ts";
import type { MemoryAccount } from "../../transport/internal.ts";
import type { FrameUse, Peer, PeerTraits, SendOutcome } from "../sessions/peer.ts";
import { createIncomingCalls, createOutgoingCalls } from "../sessions/pending-call.ts";
import type { LinkQueue } from "./link-queue.ts";

/** Another host as the caller of all calls that come on its link. Their request ids are its own. */
export class HostCaller implements Peer {
  /** No client id: no metadata of a client can carry an arrow. */
  readonly id: string;
  // A host sends its callers of other kinds only what they take.
  readonly traits: PeerTraits = {
    ...{ takesJsonEvents: true, maxFrameBytes: Number.POSITIVE_INFINITY, isAnnounced: true },
    ...{ capabilities: new Set(["turns"]), reconnectGraceMs: 0 },
  };
  readonly worker: WorkerIdentity;
  readonly dotnet = undefined;
  readonly account: MemoryAccount;
  readonly outgoingCalls = createOutgoingCalls();
  readonly incomingCalls = createIncomingCalls();
  lastEvent = 0;
  readonly #queue: LinkQueue;
  #isOpen = true;

  constructor(hostId: string, account: MemoryAccount, queue: LinkQueue) {
    this.id = `host → ${hostId}`;
    this.worker = { id: this.id, name: this.id, version: undefined, labels: {} };
    this.account = account;
    this.#queue = queue;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Sends an answer; a host calls nothing else on this link. */
  send(frame: FrameBytes, use: FrameUse): SendOutcome {
    return this.#isOpen ? this.#queue.send(encodePeerAnswer(frame), use) : "closed";
  }

  /** Nothing is told of a call's wait: its host finds rings among its own calls. */
  notify(): SendOutcome {
    return this.#isOpen ? "queued" : "closed";
  }

  markClosed(): void {
    this.#isOpen = false;
  }
}

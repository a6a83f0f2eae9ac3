import {
  type Capability,
  encodePeerAnswer,
  encodePeerFrame,
  encodePeerNotice,
  type FrameBytes,
  type PeerBounce,
  type PeerMessageName,
  type RarePeerFrame,
  type WorkerIdentity,
} from "../../protocol/internal.ts";
import type { MemoryAccount } from "../../transport/internal.ts";
import type { FrameUse, Peer, PeerTraits, SendOutcome } from "../sessions/peer.ts";
import { createIncomingCalls, createOutgoingCalls } from "../sessions/pending-call.ts";
import type { LinkQueue } from "./links/link-queue.ts";

export interface HostCallerParts {
  readonly hostId: string;
  // protocol.md §11.21
  /** Whether it passes on the chunks of answers. */
  readonly passesChunks: boolean;
  /** Of its link: no other link of this host has it. */
  readonly number: number;
  readonly account: MemoryAccount;
  readonly queue: LinkQueue;
  readonly tell: (frame: RarePeerFrame) => void;
  /** Sends what may be refused. False: the queue is full. */
  readonly tellIfRoom: (frame: Uint8Array) => boolean;
}

const idPrefix = "host → ";

/** Whether the caller of a call is another host, by its id. */
export function isOtherHost(callerId: string): boolean {
  return callerId.startsWith(idPrefix);
}

/** Another host as the caller of all calls that come on its link. Their request ids are its own. */
export class HostCaller implements Peer {
  /** No client id: no metadata of a client can carry an arrow. */
  readonly id: string;
  readonly traits: PeerTraits;
  readonly hostId: string;
  readonly worker: WorkerIdentity;
  readonly dotnet = undefined;
  readonly account: MemoryAccount;
  readonly outgoingCalls = createOutgoingCalls();
  readonly incomingCalls = createIncomingCalls();
  lastEvent = 0;
  readonly number: number;
  readonly #queue: LinkQueue;
  readonly #tell: (frame: RarePeerFrame) => void;
  readonly #tellIfRoom: (frame: Uint8Array) => boolean;
  /** Agents of which a message went back that was not the first on its route. So do those that follow, until the other host says `flush`. */
  readonly #bouncing = new Set<string>();
  #isOpen = true;

  constructor({ hostId, passesChunks, number, account, queue, tell, tellIfRoom }: HostCallerParts) {
    this.id = `${idPrefix}${hostId}`;
    // A host sends its callers of other kinds only what they take.
    const capabilities = new Set<Capability>(passesChunks ? ["turns", "streams"] : ["turns"]);
    const frames = { takesJsonEvents: true, maxFrameBytes: Number.POSITIVE_INFINITY };
    this.traits = { ...frames, isAnnounced: true, capabilities, reconnectGraceMs: 0 };
    this.hostId = hostId;
    this.worker = { id: this.id, name: this.id, version: undefined, labels: {} };
    this.number = number;
    this.account = account;
    this.#queue = queue;
    this.#tell = tell;
    this.#tellIfRoom = tellIfRoom;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Sends an answer, or a chunk of one in the share of its target; a host calls nothing else on this link. */
  send(frame: FrameBytes, use: FrameUse, from?: Peer): SendOutcome {
    if (!this.#isOpen) return "closed";
    if (use !== "chunk") return this.#queue.send(encodePeerAnswer(frame), use);
    return this.#queue.send(encodePeerNotice(frame), use, from?.account.party ?? "");
  }

  /** Nothing is told of a call's wait: its host finds rings among its own calls. */
  notify(): SendOutcome {
    return this.#isOpen ? "queued" : "closed";
  }

  // protocol.md §12.8
  /** Gives a message back that no worker was handed. False: it finds no space on the way back, or the link has ended. */
  bounce(bounce: Omit<PeerBounce, "kind">): boolean {
    return this.#isOpen && this.#tellIfRoom(encodePeerFrame({ kind: "bounce", ...bounce }));
  }

  /** The first message on a route was handed over. */
  taken(what: PeerMessageName): void {
    if (this.#isOpen) this.#tell({ kind: "taken", what });
  }

  /** Whether messages for an agent go back that are not the first on a route. */
  isBouncing(agentType: string, key: string): boolean {
    return this.#bouncing.size > 0 && this.#bouncing.has(`${agentType}/${key}`);
  }

  setBouncing(agentType: string, key: string, isBouncing: boolean): void {
    const name = `${agentType}/${key}`;
    if (this.#bouncing.has(name) === isBouncing) return;
    const bytes = bouncingBytes + 2 * name.length;
    if (isBouncing) {
      this.#bouncing.add(name);
      this.account.add(bytes);
    } else {
      this.#bouncing.delete(name);
      this.account.release(bytes);
    }
  }

  markClosed(): void {
    this.#isOpen = false;
    for (const name of this.#bouncing) this.account.release(bouncingBytes + 2 * name.length);
    this.#bouncing.clear();
  }
}

/** About what such an agent takes beside its name. */
const bouncingBytes = 100;

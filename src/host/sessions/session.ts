import type { Clock } from "../../core/internal.ts";
import { IndexedSet } from "../../core/internal.ts";
import { type FrameBytes, isAnnounced } from "../../protocol/internal.ts";
import { type Metadata, type RpcStatus, SentFrames, type ServerStream, StatusCode } from "../../transport/internal.ts";
import type { PendingCall } from "../calls/pending-call.ts";
import { limits } from "../limits.ts";
import { GracefulClose } from "./graceful-close.ts";
import { OutboundBound, type QueueBounds } from "./outbound-bound.ts";
import { createOutgoingCallSet } from "./outgoing-calls.ts";

/** What a frame is for a worker: a call to it, an answer to one of its own, an event, or a signal beside them. */
export type FrameUse = "call" | "answer" | "event" | "signal";

/** Whether a frame has been taken on for a peer; if not, why. `full`: the worker does not read fast enough. */
export type SendOutcome = "queued" | "too-large" | "full" | "closed";

/** What the host knows of a worker from the metadata of its channel. */
export interface PeerTraits {
  /** Events without `proto_data` make this peer reopen its channel, and lose what it was doing (protocol.md §7). */
  readonly takesJsonEvents: boolean;
  /** A longer frame would end the peer's stream. */
  readonly maxFrameBytes: number;
  /** It is one of ours, and understands signals (protocol.md §11.1). No other peer is ever sent one. */
  readonly isAnnounced: boolean;
  /** For how long it may come back under its id and find what it had declared; 0: not at all (protocol.md §2.1). */
  readonly reconnectGraceMs: number;
}

/** A way to a worker for signals, past all that waits on its data channel (protocol.md §11.7). */
export interface NoticePath {
  /** False: it was not taken. */
  send(frame: Uint8Array): boolean;
  finish(status: RpcStatus): void;
}

export interface SessionParts {
  readonly clientId: string;
  readonly peer: string;
  readonly traits: PeerTraits;
  readonly stream: ServerStream;
  readonly bounds: QueueBounds;
  readonly clock: Clock;
  /** Frames begin to be refused because the queue is full. */
  readonly onOverflow: (session: Session) => void;
  /** The queue has shrunk to half its bound after `lost` frames were refused. */
  readonly onRelief: (session: Session, lost: number) => void;
  /** The channel is ended because the worker does not read. */
  readonly onCutOff: (session: Session) => void;
}

/** One worker's open data channel. A worker that comes back gets a new one, also under the same client id. */
export class Session {
  readonly clientId: string;
  readonly peer: string;
  readonly traits: PeerTraits;
  /** Calls this worker waits for, and calls it was asked and has not answered. */
  readonly asked = createOutgoingCallSet();
  readonly asking = new IndexedSet<"askingSlot", PendingCall>("askingSlot");
  /** The number of the last event that it was found as a target of. */
  foundFor = 0;
  /** Events kept from this worker, and calls to it refused, because its queue was full. */
  droppedEvents = 0;
  refusedCalls = 0;
  readonly #stream: ServerStream;
  readonly #bound: OutboundBound;
  readonly #sent = new SentFrames();
  readonly #parts: SessionParts;
  readonly #lastWord: GracefulClose;
  #road: NoticePath | undefined;
  #isOpen = true;

  constructor(parts: SessionParts) {
    this.clientId = parts.clientId;
    this.peer = parts.peer;
    this.traits = parts.traits;
    this.#stream = parts.stream;
    this.#bound = new OutboundBound(parts.stream, parts.bounds);
    this.#lastWord = new GracefulClose(parts.stream, parts.clock);
    this.#parts = parts;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  get queuedBytes(): number {
    return this.#stream.queuedBytes;
  }

  get queuedFrames(): number {
    return this.#stream.queuedFrames;
  }

  /** After the end of the stream: events that were taken on for this worker and never left. */
  get lostEvents(): number {
    return this.#sent.eventsAmongLast(this.#stream.unsentFrames);
  }

  /** After the end of the stream: events that have left, and of which nothing shows that the worker has them. */
  get unconfirmedEvents(): number {
    const { unsentFrames, unconfirmedFrames } = this.#stream;
    return this.#sent.eventsAmongLast(unsentFrames + unconfirmedFrames) - this.lostEvents;
  }

  /** After the end of the stream: frames that had come from the worker and were not read. */
  get unreadFrames(): number {
    return this.#stream.unreadFrames;
  }

  /** The one place where frames for a worker queue up, within its bound (protocol.md H19). */
  send(frame: FrameBytes, use: FrameUse): SendOutcome {
    if (!this.#isOpen) return "closed";
    if (frame.byteLength > this.traits.maxFrameBytes) return "too-large";
    if (!this.#bound.hasRoom(frame.byteLength, use)) return this.#refuse(use);
    const lost = this.#bound.takeRelief();
    if (lost > 0) this.#parts.onRelief(this, lost);
    try {
      this.#stream.send(frame);
    } catch {
      // The transport has a limit of its own on what is sent.
      return "too-large";
    }
    this.#sent.note(use === "event", this.#stream);
    return "queued";
  }

  /**
   * Says something beside calls and events, in its place behind what waits, and past that where the worker has opened a road
   * for it. `full`: neither took it.
   */
  signal(frame: Uint8Array): SendOutcome {
    const isPast = this.#isOpen && this.#road?.send(frame) === true;
    const outcome = this.send(frame, "signal");
    return isPast ? "queued" : outcome;
  }

  /** The worker has opened a stream for signals; the newest counts. */
  openRoad(road: NoticePath): void {
    this.#road?.finish(replacedRoad);
    if (this.#isOpen) this.#road = road;
    else road.finish(endedRoad);
  }

  closeRoad(road: NoticePath): void {
    if (this.#road === road) this.#road = undefined;
  }

  /**
   * Nothing is sent any more; what is queued still goes out if the connection stands, then the call ends with `status`. A
   * worker that does not take it is cut off after a while, so that nothing of it stays.
   */
  finish(status: RpcStatus): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#road?.finish(endedRoad);
    this.#lastWord.say(status);
  }

  /** Ends the call at once; what is queued is dropped. */
  abort(status: RpcStatus): void {
    this.markClosed();
    this.#stream.abort(status);
  }

  /** The stream has come to its end by itself. */
  markClosed(): void {
    this.#isOpen = false;
    this.#road?.finish(endedRoad);
    this.#lastWord.done();
  }

  flushed(): Promise<void> {
    return this.#stream.flushed();
  }

  #refuse(use: FrameUse): SendOutcome {
    if (use === "event") this.droppedEvents += 1;
    if (use === "call") this.refusedCalls += 1;
    if (this.#bound.noteLoss()) this.#parts.onOverflow(this);
    // A signal that is lost leaves a handler at work in vain, and that is all.
    if (use !== "signal" && (use === "answer" || this.#bound.endsChannel)) {
      this.#parts.onCutOff(this);
      this.abort(tooSlow);
    }
    return "full";
  }
}

const endedRoad: RpcStatus = { code: StatusCode.ok, details: "The data channel has ended." };
const replacedRoad: RpcStatus = { code: StatusCode.aborted, details: "replaced by a newer stream" };

const tooSlow: RpcStatus = {
  code: StatusCode.resourceExhausted,
  details: "This worker does not read what it is sent: the host's queue for it is full.",
};

/** Libraries name themselves `grpc-<language>/…`, perhaps after the application's own name. Ours has no such limits. */
const stockLibrary = /(^|\s)grpc-(?!troupe)/;
const dotnetLibrary = /(^|\s)grpc-dotnet\//;

export interface TraitOptions {
  readonly filterByPeer: boolean;
  readonly stockPeerMaxBytes: number;
  readonly reconnectGraceMs: number | undefined;
}

/** Reads a peer's traits off its announcement and the `user-agent` that its library sends. */
export function peerTraits(metadata: Metadata, options: TraitOptions): PeerTraits {
  const userAgent = metadata["user-agent"] ?? "";
  const isFiltered = options.filterByPeer;
  const isDotnet = dotnetLibrary.test(userAgent);
  return {
    takesJsonEvents: !isFiltered || !isDotnet,
    maxFrameBytes: isFiltered && stockLibrary.test(userAgent) ? options.stockPeerMaxBytes : Number.POSITIVE_INFINITY,
    isAnnounced: isAnnounced(metadata),
    reconnectGraceMs: options.reconnectGraceMs ?? (isDotnet ? limits.dotnetGraceMs : 0),
  };
}

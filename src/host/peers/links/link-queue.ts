import type { FrameBytes } from "../../../protocol/internal.ts";
import { FairShare, type FrameStream, type MemoryAccount, SentFrames } from "../../../transport/internal.ts";
import type { FrameUse, SendOutcome } from "../../sessions/peer.ts";

/** How much may wait for one other host. */
export interface LinkBounds {
  readonly maxQueuedBytes: number;
  readonly maxQueuedFrames: number;
}

export interface LinkQueueParts {
  readonly stream: FrameStream;
  readonly bounds: LinkBounds;
  /** Holds what waits. */
  readonly account: MemoryAccount;
  /** The queue is full even for answers and notices: the link must be cut. */
  readonly onOverflow: () => void;
}

/** Answers and what hosts tell each other may take twice as much as calls and events. */
const urgentRooms = 2;
/** Bytes that the transport adds to each frame, and about what the queue keeps for one. */
const frameCost = 64;

/** A frame in the queue, and the party that pays for it. */
interface Waiting {
  readonly party: string | undefined;
  readonly bytes: number;
}

/**
 * The frames that wait for another host. What is sent for one address gets two thirds of the bytes and of the places at most. A link is never paused
 * for one slow worker: what finds no space is refused or dropped.
 */
export class LinkQueue {
  readonly #parts: LinkQueueParts;
  readonly #bytes: FairShare;
  readonly #frames: FairShare;
  readonly #sent = new SentFrames();
  /** Oldest first, from `#first` on. */
  #waiting: Waiting[] = [];
  #first = 0;
  #droppedEvents = 0;
  #sentFrames = 0;

  constructor(parts: LinkQueueParts) {
    this.#parts = parts;
    this.#bytes = new FairShare(parts.bounds.maxQueuedBytes);
    this.#frames = new FairShare(parts.bounds.maxQueuedFrames);
  }

  /** Frames that the queue took, and those of them that have not left. */
  get sentFrames(): number {
    return this.#sentFrames;
  }

  get queuedFrames(): number {
    return this.#parts.stream.queuedFrames;
  }

  get queuedBytes(): number {
    return this.#parts.stream.queuedBytes;
  }

  get droppedEvents(): number {
    return this.#droppedEvents;
  }

  /** After the end of the stream: events that never left, and those that have left without proof of arrival. */
  get lostEvents(): number {
    return this.#sent.eventsAmongLast(this.#parts.stream.unsentFrames);
  }

  get unconfirmedEvents(): number {
    const { unsentFrames, unconfirmedFrames } = this.#parts.stream;
    return this.#sent.eventsAmongLast(unsentFrames + unconfirmedFrames) - this.lostEvents;
  }

  /** Queues a frame. `party`: the address of the worker whose call or event it is. */
  send(frame: FrameBytes, use: FrameUse, party?: string): SendOutcome {
    const { stream, account, onOverflow } = this.#parts;
    this.settle();
    const bytes = frame.byteLength + frameCost;
    const isUrgent = party === undefined;
    if (!this.#hasRoom(bytes, party) || !account.take(bytes, isUrgent ? "urgent" : "keeping")) {
      if (use === "event") this.#droppedEvents += 1;
      if (isUrgent) onOverflow();
      return "full";
    }
    try {
      stream.send(frame);
    } catch {
      // The transport has a limit of its own on what it sends.
      account.release(bytes);
      return "too-large";
    }
    this.#sentFrames += 1;
    this.#sent.note(use === "event", stream);
    this.#waiting.push({ party, bytes });
    if (party !== undefined) {
      this.#bytes.add(party, bytes);
      this.#frames.add(party);
    }
    return "queued";
  }

  /** Frees what has left. Call it now and then: the transport does not say when a frame leaves. */
  settle(): void {
    const left = this.#waiting.length - this.#first - this.#parts.stream.queuedFrames;
    if (left > 0) this.#release(this.#first + left);
  }

  /** The stream has ended: nothing waits any more. */
  close(): void {
    this.#release(this.#waiting.length);
  }

  /** A single frame longer than the whole bound may pass when nothing else waits. */
  #hasRoom(bytes: number, party: string | undefined): boolean {
    const { stream, bounds } = this.#parts;
    const { queuedBytes, queuedFrames } = stream;
    if (queuedFrames === 0) return true;
    const rooms = party === undefined ? urgentRooms : 1;
    const isWithin =
      queuedFrames < rooms * bounds.maxQueuedFrames && queuedBytes + bytes <= rooms * bounds.maxQueuedBytes;
    return isWithin && (party === undefined || (this.#bytes.mayAdd(party, bytes) && this.#frames.mayAdd(party)));
  }

  #release(to: number): void {
    let bytes = 0;
    for (; this.#first < to; this.#first += 1) {
      const one = this.#waiting[this.#first];
      if (one === undefined) break;
      bytes += one.bytes;
      if (one.party === undefined) continue;
      this.#bytes.remove(one.party, one.bytes);
      this.#frames.remove(one.party);
    }
    this.#parts.account.release(bytes);
    // Half of the list is over: its memory is free again.
    if (2 * this.#first < this.#waiting.length) return;
    this.#waiting = this.#waiting.slice(this.#first);
    this.#first = 0;
  }
}

import { type Clock, TroupeError, UndeliverableException } from "../../core/internal.ts";
import { type CancelReason, encodeFrame, type Frame } from "../../protocol/internal.ts";
import { type FrameStream, SentFrames } from "../../transport/internal.ts";
import { HostNotices } from "./host-notices.ts";
import { atMost } from "./time-limits.ts";

export interface OutboxOptions {
  readonly stream: FrameStream;
  readonly maxMessageBytes: number;
  /** The limit towards a host that has not announced itself as Troupe's. */
  readonly stockHostMaxBytes: number;
  /** `askedCount` has grown. */
  readonly onAsked: () => void;
}

/** How long a host is given to announce itself before a long message is held against the limit of stock hosts. */
const headersWaitMs = 1_000;

/** Where frames leave one connection. Nothing is queued here: the stream queues and batches. */
export class Outbox {
  readonly #options: OutboxOptions;
  readonly #sent = new SentFrames();
  readonly #signals = new HostNotices((frame) => this.#signal(frame));
  #askedCount = 0;
  #isWritable = true;
  #isHostAnnounced = false;
  #closedBecause: UndeliverableReason | undefined;
  /** Called once the host's headers have come, or are given up; undefined afterwards. */
  #onHeaders: (() => void) | undefined = () => {};
  #headersCame: Promise<unknown> | undefined;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /** How many of the worker's own calls left here and have no outcome yet. */
  get askedCount(): number {
    return this.#askedCount;
  }

  /** The host has announced itself: it takes long messages, and Troupe's signals. */
  get isHostAnnounced(): boolean {
    return this.#isHostAnnounced;
  }

  /** The host may still announce itself. */
  get awaitsHeaders(): boolean {
    return this.#onHeaders !== undefined;
  }

  /** False while the stream has more queued than it wants; `drained` ends that. Frames are taken all the same. */
  get isWritable(): boolean {
    return this.#isWritable;
  }

  /** Bytes that the stream has not handed to the network. */
  get queuedBytes(): number {
    return this.#options.stream.queuedBytes;
  }

  /** The longest frame taken, in bytes. */
  get maxBytes(): number {
    const { stream, maxMessageBytes, stockHostMaxBytes } = this.#options;
    const forHost = this.#isHostAnnounced ? Number.POSITIVE_INFINITY : stockHostMaxBytes;
    return Math.min(maxMessageBytes, stream.maxSendBytes, forHost);
  }

  /** Throws `invalid-message`, `message-too-large` or `UndeliverableException`; then nothing was sent and the stream lives. */
  send(frame: Frame): void {
    const reason = this.#closedBecause ?? { code: "disconnected", text: "The connection to the host has ended." };
    if (this.#closedBecause === undefined && this.write(encodeFrame(frame))) return;
    throw new UndeliverableException(reason.text, { code: reason.code });
  }

  /** Sends the bytes of a frame; false: the connection has ended. Throws `message-too-large`. */
  write(bytes: Uint8Array, kind: "event" | "other" = "other"): boolean {
    if (this.#closedBecause !== undefined) return false;
    assertLength(bytes, this.maxBytes);
    const { stream } = this.#options;
    if (!stream.send(bytes)) {
      this.#isWritable = false;
      // A stream that has ended says false as one that is full does, but nothing waits in it.
      if (stream.queuedBytes === 0) return false;
    }
    this.#sent.note(kind === "event", stream);
    return true;
  }

  /** After the end of the connection: events that were taken here and never left. */
  get unsentEvents(): number {
    return this.#sent.eventsAmongLast(this.#options.stream.unsentFrames);
  }

  /** After the end of the connection: events that left, and of which nothing shows that the host has them. */
  get unconfirmedEvents(): number {
    const { unsentFrames, unconfirmedFrames } = this.#options.stream;
    return this.#sent.eventsAmongLast(unsentFrames + unconfirmedFrames) - this.unsentEvents;
  }

  /** After the end of the connection: messages that had come from the host and were not read. */
  get unreadFrames(): number {
    return this.#options.stream.unreadFrames;
  }

  /** A call of the worker's own has left here, and its answer will come here. */
  ask(): void {
    this.#askedCount += 1;
    this.#options.onAsked();
  }

  /** Its outcome is there. */
  forget(): void {
    this.#askedCount -= 1;
  }

  /** Tells a host that understands it, now or once it has announced itself, that nobody here waits for this call any more. Never throws. */
  cancelCall(requestId: string, reason: CancelReason): void {
    this.#signals.cancelCall(requestId, reason);
  }

  /** The stream has room again. */
  drained(): void {
    this.#isWritable = true;
  }

  /** The host's headers are there, or it seems to send none. */
  takeHeaders(isHostAnnounced: boolean): void {
    if (this.#isHostAnnounced || (this.#onHeaders === undefined && !isHostAnnounced)) return;
    this.#isHostAnnounced = isHostAnnounced;
    this.#signals.learnPeer(isHostAnnounced);
    this.#onHeaders?.();
    this.#onHeaders = undefined;
  }

  /** Resolves when it is known whether the host announces itself; stock hosts send nothing, and get a moment. */
  headersCame(clock: Clock): Promise<unknown> {
    this.#headersCame ??= new Promise<void>((resolve) => {
      const came = new Promise<void>((settle) => {
        if (this.#onHeaders === undefined) settle();
        else this.#onHeaders = settle;
      });
      void atMost(came, headersWaitMs, clock).then(() => {
        this.takeHeaders(false);
        resolve();
      });
    });
    return this.#headersCame;
  }

  /** From now on `send` throws; the first reason stands. */
  close(reason: UndeliverableReason): void {
    this.#closedBecause ??= reason;
    this.takeHeaders(false);
  }

  /** Resolves when all that was sent has been handed to the network, or can't be any more. */
  flushed(): Promise<void> {
    return this.#options.stream.flushed();
  }

  #signal(frame: Frame): void {
    this.write(encodeFrame(frame));
  }
}

export interface UndeliverableReason {
  readonly code: "disconnected" | "shutting-down";
  readonly text: string;
}

/** Throws `message-too-large`. */
export function assertLength(bytes: Uint8Array, maxBytes: number): void {
  if (bytes.length <= maxBytes) return;
  throw new TroupeError(
    "message-too-large",
    `The message has ${bytes.length} bytes and the limit is ${maxBytes}. ` +
      "Send less, or raise maxMessageBytes here (stockHostMaxBytes towards hosts that are not Troupe's) and the limits of host and receiver.",
  );
}

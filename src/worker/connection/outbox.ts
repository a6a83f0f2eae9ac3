import { type Clock, type Timer, TroupeError, UndeliverableException } from "../../core/internal.ts";
import { type CancelReason, encodeFrame, type Frame } from "../../protocol/internal.ts";
import { type FrameStream, SentFrames } from "../../transport/internal.ts";
import { atMost } from "./time-limits.ts";

export interface OutboxOptions {
  readonly stream: FrameStream;
  readonly maxMessageBytes: number;
  /** The limit towards a host that has not announced itself as Troupe's. */
  readonly stockHostMaxBytes: number;
  /** `outgoingCallsCount` has grown. */
  readonly onCall: () => void;
  /** Bounds what is kept until the host takes the channel. */
  readonly maxKeptMessages: number;
  readonly maxKeptBytes: number;
}

/** A call or an event that is to leave. */
export interface QueuedMessage {
  readonly kind: "call" | "event";
  readonly bytes: Uint8Array;
  /** The message has been handed to this connection. Not called after `onFailed`. */
  onSent?(outbox: Outbox): void;
  /** The host refused the connection to which the message was handed: it waits again, as `waiting`. False: nobody wants it any more. */
  onReturned?(waiting: WaitingMessage): boolean;
  /** The message will never be sent: too long for this host, no host in time, the worker stops. */
  onFailed(error: Error): void;
}

/** Milliseconds that a host has to announce itself. After them the limit of stock hosts holds for long messages. */
const headersWaitMs = 1_000;

/** Cancellations that wait until the host has said who it is; a stock host says nothing for long. */
const mostWaitingNotices = 1_000;

/** Whether the host is Troupe's: only a host that announced itself gets notices (cancel). */
// protocol.md §11.1
type HostKind =
  /** Its response headers are not here yet; notices wait. */
  { readonly at: "unknown"; readonly waiting: Frame[] } | { readonly at: "announced" } | { readonly at: "stock" };

/** Sends the frames of one connection. It queues nothing: the stream queues and batches. */
export class Outbox {
  readonly #options: OutboxOptions;
  readonly #sent = new SentFrames();
  #host: HostKind = { at: "unknown", waiting: [] };
  #outgoingCallsCount = 0;
  #isWritable = true;
  /** What was sent before the host took the channel; undefined once it has, or when it is too much. */
  #kept: QueuedMessage[] | undefined = [];
  #keptBytes = 0;
  #areKeptTaken = false;
  #closedBecause: UndeliverableReason | undefined;
  /** Called once the host's headers have come, or are not expected any more. */
  #onHeaders: () => void = () => {};
  #headersCame: Promise<unknown> | undefined;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /** How many calls of this worker left here and have no outcome yet. */
  get outgoingCallsCount(): number {
    return this.#outgoingCallsCount;
  }

  /** Whether the host has announced itself: then it takes long messages and Troupe's notices. */
  get isHostAnnounced(): boolean {
    return this.#host.at === "announced";
  }

  /** Whether messages are kept, because the host may still refuse the channel. */
  get isKeeping(): boolean {
    return this.#kept !== undefined;
  }

  /** The host may still announce itself. */
  get awaitsHeaders(): boolean {
    return this.#host.at === "unknown";
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
    const forHost = this.isHostAnnounced ? Number.POSITIVE_INFINITY : stockHostMaxBytes;
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

  /** Keeps a message that was just written, in case the host refuses the channel. Beyond the bound nothing is kept any more. */
  keep(message: QueuedMessage): void {
    if (this.#kept === undefined) return;
    this.#kept.push(message);
    this.#keptBytes += message.bytes.length;
    const { maxKeptMessages, maxKeptBytes } = this.#options;
    if (this.#kept.length > maxKeptMessages || this.#keptBytes > maxKeptBytes) this.#kept = undefined;
  }

  /** The host has taken the channel: what was sent counts as sent. */
  forgetKept(): void {
    this.#kept = undefined;
  }

  /** After a refusal: returns what was sent here and was not taken, in order. It no longer counts as lost. */
  takeKept(): readonly QueuedMessage[] {
    const kept = this.#kept ?? [];
    this.#areKeptTaken = this.#kept !== undefined;
    this.#kept = undefined;
    return kept;
  }

  /** After the end of the connection: events that were taken here and never left. */
  get unsentEvents(): number {
    return this.#areKeptTaken ? 0 : this.#sent.eventsAmongLast(this.#options.stream.unsentFrames);
  }

  /** After the end of the connection: events that left, and of which nothing shows that the host has them. */
  get unconfirmedEvents(): number {
    if (this.#areKeptTaken) return 0;
    const { unsentFrames, unconfirmedFrames } = this.#options.stream;
    return this.#sent.eventsAmongLast(unsentFrames + unconfirmedFrames) - this.unsentEvents;
  }

  /** After the end of the connection: messages that had come from the host and were not read. */
  get unreadFrames(): number {
    return this.#options.stream.unreadFrames;
  }

  /** A call of this worker has left here, and its answer will come here. */
  ask(): void {
    this.#outgoingCallsCount += 1;
    this.#options.onCall();
  }

  /** The call has its outcome. */
  forget(): void {
    this.#outgoingCallsCount -= 1;
  }

  /** Tells a host that understands it, now or once it has announced itself, that nobody waits for this call's answer. Never throws. */
  cancelCall(requestId: string, reason: CancelReason): void {
    const frame = { kind: "cancel", requestId, reason } as const;
    if (this.#host.at === "announced") this.#notify(frame);
    else if (this.#host.at === "unknown" && this.#host.waiting.length < mostWaitingNotices)
      this.#host.waiting.push(frame);
  }

  /** The stream has room again. */
  drained(): void {
    this.#isWritable = true;
  }

  /** The host's headers are here, or the host seems to send none. */
  takeHeaders(isHostAnnounced: boolean): void {
    const host = this.#host;
    if (host.at === "announced" || (host.at === "stock" && !isHostAnnounced)) return;
    this.#host = { at: isHostAnnounced ? "announced" : "stock" };
    if (isHostAnnounced && host.at === "unknown") for (const frame of host.waiting) this.#notify(frame);
    this.#onHeaders();
    this.#onHeaders = () => {};
  }

  /** Resolves when it is known whether the host announces itself; stock hosts send nothing, so the wait is short. */
  headersCame(clock: Clock): Promise<unknown> {
    this.#headersCame ??= new Promise<void>((resolve) => {
      const came = new Promise<void>((settle) => {
        if (this.awaitsHeaders) this.#onHeaders = settle;
        else settle();
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

  #notify(frame: Frame): void {
    this.write(encodeFrame(frame));
  }
}

/** A message that waits to leave. */
export interface WaitingMessage {
  readonly departure: QueuedMessage;
  /** Returns the bytes as they are to be when the message leaves, where waiting has changed them. Never longer. */
  renew: (() => Uint8Array) | undefined;
  /** Runs while there is no connection. */
  timer: Timer | undefined;
}

/** Why nothing can be sent any more. */
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

import { type Timer, TroupeError, UndeliverableException } from "../../core/internal.ts";
import {
  type CancelReason,
  encodeFrame,
  type Frame,
  type HeartbeatFrame,
  type LeaseNotice,
  type LeavingNotice,
  type StuckFrame,
  type UnstuckFrame,
} from "../../protocol/internal.ts";
import { type FrameStream, SentFrames } from "../../transport/internal.ts";
import { HostAnnouncement } from "./host-announcement.ts";
import type { StateStream } from "./streams/state-stream.ts";

export interface OutboxOptions {
  readonly stream: FrameStream;
  /** The stream on which answers leave with commits. */
  readonly states: StateStream;
  readonly maxMessageBytes: number;
  /** The limit towards a stock host. */
  readonly stockHostMaxBytes: number;
  /** Whether the worker's host before has announced itself as one of Troupe's. */
  readonly expectsAnnouncement: boolean;
  /** Called when `outgoingCallsCount` has grown. */
  readonly onCall: () => void;
  /** Called when it is known what the host is. */
  readonly onHostKnown?: (() => void) | undefined;
  /** Bound of the messages that the outbox keeps until the host accepts the channel. */
  readonly maxKeptMessages: number;
  readonly maxKeptBytes: number;
}

/** A call or an event that leaves this worker. */
export interface QueuedMessage {
  readonly kind: "call" | "event";
  readonly bytes: Uint8Array;
  /** Makes the bytes without path and depth, for a host that does not know paths. Undefined: the message has none. */
  readonly withoutPath?: (() => Uint8Array) | undefined;
  /** Makes the bytes without the wish for chunks, for a host that passes none on. Undefined: the message has none. */
  readonly withoutStream?: (() => Uint8Array) | undefined;
  /** Whether the host is to keep the call: it goes to no host that keeps none, which would route it. Default: false. */
  readonly isTold?: boolean | undefined;
  /** Called when the message has gone to this connection. Not called after `onFailed`. */
  onSent?(outbox: Outbox): void;
  /** Called when the host refused the connection. The message waits again, as `waiting`. False: no caller needs it any more. */
  onReturned?(waiting: WaitingMessage): boolean;
  /** Called when the message will not be sent: it is too long, no host came in time, or the worker stops. */
  onFailed(error: Error): void;
}

/** The longest grace that a notice can carry. */
export const mostGraceMs = 4_294_967_295;

/** Sends the frames of one connection. The stream queues and batches them, not the outbox. */
export class Outbox {
  readonly #options: OutboxOptions;
  /** The host's announcement, once its headers have come. */
  readonly host: HostAnnouncement;
  readonly #sent = new SentFrames();
  #outgoingCallsCount = 0;
  #sentMessages = 0;
  #isWritable = true;
  /** Resolves when the stream wants messages again, once a chunk waits for that. */
  #writable: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined;
  /** Messages sent before the host accepts the channel. Undefined after that, or beyond the bound. */
  #kept: QueuedMessage[] | undefined = [];
  #keptBytes = 0;
  #areKeptTaken = false;
  #isRefused = false;
  #sentEvents = 0;
  #closedBecause: UndeliverableReason | undefined;
  /** The outbox of the connection to the same host that the worker took after this one. */
  #newer: Outbox | undefined;

  constructor(options: OutboxOptions) {
    this.#options = options;
    const { expectsAnnouncement, onHostKnown } = options;
    const onKnown = () => {
      if (!this.isClosed) onHostKnown?.();
    };
    this.host = new HostAnnouncement((notice) => this.#notify(notice), expectsAnnouncement, onKnown);
  }

  /** The stream of the same connection on which answers leave with commits. */
  get states(): StateStream {
    return this.#options.states;
  }

  /** Number of calls that left here and have no outcome yet. */
  get outgoingCallsCount(): number {
    return this.#outgoingCallsCount;
  }

  /** Number of calls and events that left here. */
  get sentMessages(): number {
    return this.#sentMessages;
  }

  /** Whether the outbox keeps messages, because the host may still refuse the channel. */
  get isKeeping(): boolean {
    return this.#kept !== undefined;
  }

  /** Whether nothing can leave here any more. */
  get isClosed(): boolean {
    return this.#closedBecause !== undefined;
  }

  /** Notes the outbox of the connection to the same host that the worker has taken after this one. */
  continueIn(newer: Outbox): void {
    if (newer !== this) this.#newer = newer;
  }

  /** This outbox, or the next one to the same host where this one takes nothing any more. */
  get inUse(): Outbox {
    let outbox: Outbox = this;
    while (outbox.isClosed && outbox.#newer !== undefined) outbox = outbox.#newer;
    return outbox;
  }

  /** False while the stream has more queued than it wants, until `drained`. The stream still takes frames. */
  get isWritable(): boolean {
    return this.#isWritable;
  }

  /** Resolves when the stream wants messages again, or takes none any more. Undefined: it wants them now. */
  get writable(): Promise<void> | undefined {
    if (this.#isWritable || this.isClosed) return undefined;
    if (this.#writable === undefined) {
      let resolve = (): void => undefined;
      const promise = new Promise<void>((done) => {
        resolve = done;
      });
      this.#writable = { promise, resolve };
    }
    return this.#writable.promise;
  }

  /** Bytes that the stream has not handed to the network. */
  get queuedBytes(): number {
    return this.#options.stream.queuedBytes;
  }

  /** Length of the longest frame that the outbox takes, in bytes. */
  get maxBytes(): number {
    const { stream, maxMessageBytes, stockHostMaxBytes } = this.#options;
    const forHost = this.host.isAnnounced ? Number.POSITIVE_INFINITY : stockHostMaxBytes;
    return Math.min(maxMessageBytes, stream.maxSendBytes, forHost);
  }

  /** Sends a frame. Throws `invalid-message`, `message-too-large` or `UndeliverableException` without sending; the stream lives. */
  send(frame: Frame): void {
    const reason = this.#closedBecause ?? { code: "disconnected", text: "The connection to the host has ended." };
    if (this.#closedBecause === undefined && this.write(encodeFrame(frame))) return;
    throw new UndeliverableException(reason.text, { code: reason.code });
  }

  /** Sends the bytes of a frame. Returns false when the connection has ended. Throws `message-too-large`. */
  write(bytes: Uint8Array, kind: "event" | "other" = "other"): boolean {
    if (this.#closedBecause !== undefined) return false;
    assertLength(bytes, this.maxBytes);
    const { stream } = this.#options;
    if (!stream.send(bytes)) {
      this.#isWritable = false;
      // An ended stream returns false as a full one does, but nothing waits in it.
      if (stream.queuedBytes === 0) return false;
    }
    this.#sent.note(kind === "event", stream);
    if (kind === "event") {
      this.#sentMessages += 1;
      this.#sentEvents += 1;
    }
    return true;
  }

  /** Keeps a message after `write`, in case the host refuses the channel. Beyond the bound the outbox drops all kept messages. */
  keep(message: QueuedMessage): void {
    if (this.#kept === undefined) return;
    this.#kept.push(message);
    this.#keptBytes += message.bytes.length;
    const { maxKeptMessages, maxKeptBytes } = this.#options;
    if (this.#kept.length > maxKeptMessages || this.#keptBytes > maxKeptBytes) this.#kept = undefined;
  }

  /** Drops kept messages, because the host has accepted the channel. */
  forgetKept(): void {
    this.#kept = undefined;
  }

  /**
   * Returns the messages that a host did not take before its refusal, in order. They no longer count as lost. A call reaches its
   * target at most once. So the calls stay behind unless it is certain that the host has read none (`isUnread`).
   */
  takeKept(isUnread: boolean): readonly QueuedMessage[] {
    const kept = this.#kept ?? [];
    this.#areKeptTaken = this.#kept !== undefined;
    this.#isRefused = true;
    this.#kept = undefined;
    return isUnread ? kept : kept.filter(({ kind }) => kind === "event");
  }

  /** After the end of the connection: number of events that the outbox took and that never left. */
  get unsentEvents(): number {
    return this.#areKeptTaken ? 0 : this.#sent.eventsAmongLast(this.#options.stream.unsentFrames);
  }

  /** After the end of the connection: number of events that left without a sign of their arrival. */
  get unconfirmedEvents(): number {
    if (this.#areKeptTaken) return 0;
    // Pings show that the events have reached the host's process. It reads nothing of a channel that it refuses.
    if (this.#isRefused) return this.#sentEvents - this.unsentEvents;
    const { unsentFrames, unconfirmedFrames } = this.#options.stream;
    return this.#sent.eventsAmongLast(unsentFrames + unconfirmedFrames) - this.unsentEvents;
  }

  /** After the end of the connection: number of messages from the host that the worker did not read. */
  get unreadFrames(): number {
    return this.#options.stream.unreadFrames;
  }

  /** Counts a call that has left here; its answer will come here. */
  ask(): void {
    this.#outgoingCallsCount += 1;
    this.#sentMessages += 1;
    this.#options.onCall();
  }

  /** Ends the count of a call that has its outcome. */
  forget(): void {
    this.#outgoingCallsCount -= 1;
  }

  /** Tells an announced host that no caller waits for this answer. The notice may wait for the host's headers. Never throws. */
  cancelCall(requestId: string, reason: CancelReason): void {
    this.host.notify({ kind: "cancel", requestId, reason });
  }

  /** Tells a host that knows turns how long a call waits for its turn. Never throws. */
  sayStuck(report: StuckFrame | UnstuckFrame): void {
    if (this.host.knowsTurns) this.#notify(report);
  }

  // protocol.md §11.21
  /** Tells the host how many bytes of chunks the reader of a call has granted. Never throws. */
  sayCredit(requestId: string, bytes: number): void {
    if (this.host.knowsStreams) this.#notify({ kind: "credit", requestId, bytes });
  }

  // protocol.md §11.17
  /** Tells a host that knows claims about agents of shared types. Returns false if it is too long, or can't leave. Never throws. */
  sayClaims(notice: LeavingNotice): boolean {
    if (!this.host.knowsClaims) return false;
    const bytes = encodeFrame(notice);
    return bytes.length <= this.maxBytes && this.write(bytes);
  }

  // protocol.md §11.19
  /** Tells a host of a cluster something of its own. Returns false if it can't leave. Never throws. */
  sayLease(notice: LeaseNotice | HeartbeatFrame): boolean {
    return this.host.knowsLease && this.write(encodeFrame(notice));
  }

  /** Tells an announced host that the worker leaves: it takes no more calls here, and gives up its agent types. Never throws. */
  sayLeaving(graceMs: number): void {
    this.host.notify({ kind: "leaving", graceMs: Math.min(Math.ceil(graceMs), mostGraceMs) });
  }

  /**
   * Sends a heartbeat, unless frames wait to leave: those keep the stream busy. Returns the function to call when its answer
   * comes, which shows that the host has read all frames before it. Undefined: it was not sent.
   */
  sayHeartbeat(heartbeat: HeartbeatFrame): (() => void) | undefined {
    const { stream } = this.#options;
    if (stream.queuedBytes > 0 || !this.write(encodeFrame(heartbeat))) return undefined;
    return stream.beforeAsking();
  }

  /** Notes that the stream wants messages again. */
  drained(): void {
    this.#isWritable = true;
    this.#wake();
  }

  /** Makes `send` throw from now on. The first reason stays. */
  close(reason: UndeliverableReason): void {
    this.#closedBecause ??= reason;
    this.host.take(false);
    this.#wake();
  }

  /** Resolves when the network has taken all frames, or can't take them any more. */
  flushed(): Promise<void> {
    return this.#options.stream.flushed();
  }

  #wake(): void {
    this.#writable?.resolve();
    this.#writable = undefined;
  }

  #notify(frame: Frame): void {
    this.write(encodeFrame(frame));
  }
}

/** A message that waits in the send queue. */
export interface WaitingMessage {
  readonly departure: QueuedMessage;
  /** Returns the bytes for the moment when the message leaves, if the wait changes them. They are never longer. */
  renew: (() => Uint8Array) | undefined;
  /** Limits the wait of a call; runs while there is no connection. */
  timer: Timer | undefined;
}

/** The reason for which the worker can send nothing any more. */
export interface UndeliverableReason {
  readonly code: "disconnected" | "shutting-down";
  readonly text: string;
}

/** Throws `message-too-large` for more than `maxBytes`. */
export function assertLength(bytes: Uint8Array, maxBytes: number): void {
  if (bytes.length <= maxBytes) return;
  throw new TroupeError(
    "message-too-large",
    `The message has ${bytes.length} bytes and the limit is ${maxBytes}. ` +
      "Send less, or raise maxMessageBytes here (stockHostMaxBytes towards hosts that are not Troupe's) and the limits of host and receiver.",
  );
}

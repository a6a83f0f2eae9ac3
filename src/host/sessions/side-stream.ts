import type { Clock } from "../../core/internal.ts";
import { encodeFrame, peekFrame } from "../../protocol/internal.ts";
import {
  type MemoryAccount,
  type RpcStatus,
  type ServerStream,
  type ServerStreamReceiver,
  StatusCode,
  type StreamEnd,
} from "../../transport/internal.ts";
import type { CloseReason } from "../observer.ts";
import { closingOf, type StreamClosing } from "./data-channel.ts";
import { GracefulClose } from "./graceful-close.ts";
import { heartbeatAnswer } from "./heartbeat-answer.ts";
import { QueueBound, type QueueBounds } from "./queue-bound.ts";
import type { NoticePath, Session } from "./session.ts";

export interface SideStreamParts {
  readonly session: Session;
  readonly account: MemoryAccount;
  readonly bounds: QueueBounds;
  readonly clock: Clock;
  // protocol.md §11.19
  /** Returns the milliseconds of the lease that the worker gets when it asks; 0: none. */
  readonly leaseMs: () => number;
  readonly onOpened: () => void;
  readonly onEnded: (closing: StreamClosing) => void;
}

interface OpenStream {
  readonly stream: ServerStream;
  readonly bound: QueueBound;
  readonly close: GracefulClose;
}

// protocol.md §11.7
/** The host's end of one `OpenSignals` call: a worker that holds its data channel back gets notices here. */
export class SideStream implements ServerStreamReceiver, NoticePath {
  readonly #parts: SideStreamParts;
  #open: OpenStream | undefined;
  #endedFor: CloseReason | undefined;

  constructor(parts: SideStreamParts) {
    this.#parts = parts;
  }

  onOpen(stream: ServerStream): void {
    const { session, account, bounds, clock, onOpened } = this.#parts;
    this.#open = { stream, bound: new QueueBound(stream, bounds, account), close: new GracefulClose(stream, clock) };
    session.openNoticePath(this);
    onOpened();
  }

  /** Workers send nothing but heartbeats here. */
  onFrame(bytes: Uint8Array): void {
    const { session, leaseMs } = this.#parts;
    const { capabilities } = session.traits;
    const isAwaited = capabilities.has("heartbeat") || capabilities.has("lease");
    if (!isAwaited || !this.#open?.bound.hasRoom(bytes.length, "heartbeat")) return;
    const frame = peekFrame(bytes);
    const answer = frame.kind === "heartbeat" ? heartbeatAnswer(frame, leaseMs) : undefined;
    if (answer !== undefined) this.#open.stream.send(encodeFrame(answer));
  }

  onHalfClose(): void {
    this.finish({ code: StatusCode.ok, details: "" }, undefined);
  }

  onBadFrame(): void {
    // As for a frame.
  }

  onDrain(): void {
    // A notice that finds the queue full is lost at once.
  }

  onEnd(end: StreamEnd): void {
    this.#open?.close.done();
    this.#leave();
    this.#parts.onEnded(closingOf(end, this.#endedFor));
  }

  get receivedBytes(): number {
    return this.#open?.stream.receivedBytes ?? 0;
  }

  /** False: the stream has ended, or its worker does not read it either. */
  send(notice: Uint8Array): boolean {
    if (!this.#open?.bound.hasRoom(notice.length, "notice")) return false;
    this.#open.stream.send(notice);
    return true;
  }

  finish(status: RpcStatus, reason: CloseReason | undefined): void {
    this.#endedFor ??= reason;
    this.#open?.close.finish(status);
    this.#leave();
  }

  #leave(): void {
    this.#parts.session.closeNoticePath(this);
  }
}

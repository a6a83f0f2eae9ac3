import type { Clock } from "../../core/internal.ts";
import { type RpcStatus, type ServerStream, type ServerStreamReceiver, StatusCode } from "../../transport/internal.ts";
import { GracefulClose } from "./graceful-close.ts";
import { OutboundBound, type QueueBounds } from "./outbound-bound.ts";
import type { NoticePath, Session } from "./session.ts";

export interface SideStreamParts {
  readonly session: Session;
  readonly bounds: QueueBounds;
  readonly clock: Clock;
}

interface OpenStream {
  readonly stream: ServerStream;
  readonly bound: OutboundBound;
  readonly lastWord: GracefulClose;
}

/** The host's end of one `OpenSignals` call: a worker that holds its data channel back hears of its calls here (protocol.md §11.7). */
export class SideStream implements ServerStreamReceiver, NoticePath {
  readonly #parts: SideStreamParts;
  #open: OpenStream | undefined;

  constructor(parts: SideStreamParts) {
    this.#parts = parts;
  }

  onOpen(stream: ServerStream): void {
    const { session, bounds, clock } = this.#parts;
    this.#open = { stream, bound: new OutboundBound(stream, bounds), lastWord: new GracefulClose(stream, clock) };
    session.openRoad(this);
  }

  onFrame(): void {
    // A worker has nothing to say here.
  }

  onHalfClose(): void {
    this.finish({ code: StatusCode.ok, details: "" });
  }

  onBadFrame(): void {
    // As for a frame.
  }

  onDrain(): void {
    // What finds the queue full is lost at once.
  }

  onEnd(): void {
    this.#open?.lastWord.done();
    this.#leave();
  }

  /** False: it has ended, or its worker does not read it either. */
  send(frame: Uint8Array): boolean {
    if (!this.#open?.bound.hasRoom(frame.length, "signal")) return false;
    this.#open.stream.send(frame);
    return true;
  }

  finish(status: RpcStatus): void {
    this.#open?.lastWord.say(status);
    this.#leave();
  }

  #leave(): void {
    this.#parts.session.closeRoad(this);
  }
}

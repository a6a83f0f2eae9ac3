import type { Clock } from "../../core/internal.ts";
import type { RpcStatus, ServerStream } from "../../transport/internal.ts";
import { GracefulClose } from "../sessions/graceful-close.ts";
import { OutboundBound, type QueueBounds } from "../sessions/outbound-bound.ts";

export interface ControlSessionParts {
  readonly clientId: string;
  readonly stream: ServerStream;
  readonly bounds: QueueBounds;
  readonly clock: Clock;
}

/** One client's open control channel, apart from its data channel (protocol.md §1.8). */
export class ControlSession {
  readonly clientId: string;
  readonly #stream: ServerStream;
  readonly #bound: OutboundBound;
  readonly #lastWord: GracefulClose;
  #isOpen = true;

  constructor({ clientId, stream, bounds, clock }: ControlSessionParts) {
    this.clientId = clientId;
    this.#stream = stream;
    this.#bound = new OutboundBound(stream, bounds);
    this.#lastWord = new GracefulClose(stream, clock);
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** False: the channel has ended or its queue is full, or the envelope is longer than the transport may send. */
  send(envelope: Uint8Array): boolean {
    if (!this.#isOpen || !this.#bound.hasRoom(envelope.length, "call")) return false;
    try {
      this.#stream.send(envelope);
    } catch {
      return false;
    }
    return true;
  }

  /** Ends the channel when what is queued has gone out, or after a while if the client does not take it. */
  finish(status: RpcStatus): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#lastWord.say(status);
  }

  /** Ends the call at once; what is queued is dropped. */
  abort(status: RpcStatus): void {
    this.markClosed();
    this.#stream.abort(status);
  }

  markClosed(): void {
    this.#isOpen = false;
    this.#lastWord.done();
  }

  flushed(): Promise<void> {
    return this.#stream.flushed();
  }
}

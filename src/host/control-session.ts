import type { RpcStatus, ServerStream } from "../transport/index.ts";
import { OutboundBound, type QueueBounds } from "./outbound-bound.ts";

/** One client's open control channel, apart from its data channel (protocol.md §1.8). */
export class ControlSession {
  readonly clientId: string;
  readonly #stream: ServerStream;
  readonly #bound: OutboundBound;
  #isOpen = true;

  constructor(clientId: string, stream: ServerStream, bounds: QueueBounds) {
    this.clientId = clientId;
    this.#stream = stream;
    this.#bound = new OutboundBound(stream, bounds);
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

  finish(status: RpcStatus): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#stream.finish(status);
  }

  /** Ends the call at once; what is queued is dropped. */
  abort(status: RpcStatus): void {
    this.#isOpen = false;
    this.#stream.abort(status);
  }

  markClosed(): void {
    this.#isOpen = false;
  }

  flushed(): Promise<void> {
    return this.#stream.flushed();
  }
}

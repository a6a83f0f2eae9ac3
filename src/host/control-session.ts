import type { RpcStatus, ServerStream } from "../transport/index.ts";

/** One client's open control channel, apart from its data channel (protocol.md §1.8). */
export class ControlSession {
  readonly clientId: string;
  readonly #stream: ServerStream;
  #isOpen = true;

  constructor(clientId: string, stream: ServerStream) {
    this.clientId = clientId;
    this.#stream = stream;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** False: the channel has ended, or the envelope is longer than the transport may send. */
  send(envelope: Uint8Array): boolean {
    if (!this.#isOpen) return false;
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

  markClosed(): void {
    this.#isOpen = false;
  }

  flushed(): Promise<void> {
    return this.#stream.flushed();
  }
}

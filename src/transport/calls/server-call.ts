import type { CallContext, Metadata } from "../link.ts";

/** The server's note of one call. */
export class ServerCall implements CallContext {
  readonly method: string;
  readonly metadata: Metadata;
  readonly peer: string;
  #controller: AbortController | undefined;
  #abortReason: Error | undefined;

  constructor(method: string, metadata: Metadata, peer: string) {
    this.method = method;
    this.metadata = metadata;
    this.peer = peer;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#abortReason !== undefined) this.#controller.abort(this.#abortReason);
    }
    return this.#controller.signal;
  }

  /** Tells whoever watches `signal`; only the first reason counts. */
  abort(reason: Error): void {
    if (this.#abortReason !== undefined) return;
    this.#abortReason = reason;
    this.#controller?.abort(reason);
  }
}

import type { X509Certificate } from "node:crypto";
import type { MemoryAccount } from "../accounting/memory-account.ts";
import type { CallContext, LinkService, Metadata, ServerStream, ServerStreamReceiver } from "../link.ts";
import { type RpcStatus, StatusCode } from "../rpc-status.ts";
import { toRpcStatus } from "./call-errors.ts";

/** The connection that a call came over. */
export interface CallerPlace {
  readonly peer: string;
  readonly account: MemoryAccount | undefined;
  /** Returns the verified certificate of the client. Undefined: the transport has none. */
  readonly certificate?: (() => X509Certificate | undefined) | undefined;
}

/** Server-side context of one call. */
export class ServerCall implements CallContext {
  readonly method: string;
  readonly metadata: Metadata;
  readonly peer: string;
  /** Set when the request of a unary call has arrived. */
  requestBytes: number | undefined = undefined;
  readonly account: MemoryAccount | undefined;
  readonly #place: CallerPlace;
  #controller: AbortController | undefined;
  #abortReason: Error | undefined;

  constructor(method: string, metadata: Metadata, place: CallerPlace) {
    this.method = method;
    this.metadata = metadata;
    this.peer = place.peer;
    this.account = place.account;
    this.#place = place;
  }

  get certificate(): X509Certificate | undefined {
    return this.#place.certificate?.();
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#abortReason !== undefined) this.#controller.abort(this.#abortReason);
    }
    return this.#controller.signal;
  }

  /** Aborts the call's signal; only the first reason counts. */
  abort(reason: Error): void {
    if (this.#abortReason !== undefined) return;
    this.#abortReason = reason;
    this.#controller?.abort(reason);
  }
}

/** Serves a unary method as a stream of one message each way. */
export class UnaryReceiver implements ServerStreamReceiver {
  readonly #service: LinkService;
  readonly #call: ServerCall;
  #stream: ServerStream | undefined;
  #request: Uint8Array | undefined;

  constructor(service: LinkService, call: ServerCall) {
    this.#service = service;
    this.#call = call;
  }

  onOpen(stream: ServerStream): void {
    this.#stream = stream;
  }

  onFrame(frame: Uint8Array): void {
    if (this.#request === undefined) this.#request = frame;
    else this.#finish({ code: StatusCode.unimplemented, details: "A unary call takes one message." });
  }

  onBadFrame(status: RpcStatus): void {
    this.#finish(status);
  }

  onHalfClose(): void {
    if (this.#request !== undefined) void this.#answer(this.#request);
    else this.#finish({ code: StatusCode.unimplemented, details: "A unary call needs a message." });
  }

  onDrain(): void {
    // A single answer never fills the queue.
  }

  onEnd(): void {
    this.#stream = undefined;
  }

  /** Answers the call; an error becomes the call's status. Never rejects. */
  async #answer(request: Uint8Array): Promise<void> {
    try {
      this.#call.requestBytes = request.byteLength;
      const answer = await this.#service.unary(request, this.#call);
      this.#stream?.send(answer);
      this.#finish({ code: StatusCode.ok, details: "" });
    } catch (error) {
      this.#finish(toRpcStatus(error));
    }
  }

  #finish(status: RpcStatus): void {
    this.#stream?.finish(status);
  }
}

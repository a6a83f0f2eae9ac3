import type { Clock } from "../../core/internal.ts";
import { followAbort, unfollowAbort } from "../../core/internal.ts";
import { waitCancelled } from "../calls/call-errors.ts";
import { callUnary, deadStream, toMethodPath } from "../calls/client-call.ts";
import type { FrameStream, Link, Metadata, StreamOptions, StreamReceiver, UnaryOptions } from "../link.ts";
import { toMetadataHeaders } from "../metadata.ts";
import { RpcError, StatusCode } from "../rpc-status.ts";
import type { MemoryConnection, MemoryConnectionEvents } from "./memory-connection.ts";
import type { Schedule } from "./memory-pipe.ts";

export interface MemoryLinkOptions {
  readonly address: string;
  readonly schedule: Schedule;
  readonly clock: Clock | undefined;
  /** Metadata of every call; the caller's own metadata overrides it. */
  readonly metadata: Metadata;
  /** Connects; returns undefined if no server listens on the address. */
  readonly connect: (events: MemoryConnectionEvents) => MemoryConnection | undefined;
}

/** Client side of a memory network. */
export class MemoryLink implements Link {
  readonly leaving: Promise<string>;
  readonly closed: Promise<string>;
  readonly #options: MemoryLinkOptions;
  #connection: MemoryConnection | undefined;
  #closeReason: string | undefined;
  #resolveClosed: (reason: string) => void = () => undefined;
  #resolveLeaving: (reason: string) => void = () => undefined;

  constructor(options: MemoryLinkOptions) {
    this.#options = options;
    this.leaving = new Promise((resolve) => {
      this.#resolveLeaving = resolve;
    });
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
  }

  async ready(options: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
    await this.#turn(options.signal);
    if (this.#open() === undefined) throw new RpcError(StatusCode.unavailable, this.#closeReason ?? "");
  }

  async unary(method: string, request: Uint8Array, options: UnaryOptions = {}): Promise<Uint8Array> {
    return callUnary((receiver) => this.openStream(method, receiver, options), request, options, this.#options.clock);
  }

  openStream(method: string, receiver: StreamReceiver, options: StreamOptions = {}): FrameStream {
    const metadata = { ...this.#options.metadata, ...toMetadataHeaders(options.metadata ?? {}) };
    const connection = this.#open();
    if (connection !== undefined) return connection.openCall(toMethodPath(method), metadata, receiver).client;
    return deadStream(receiver, { code: StatusCode.unavailable, details: this.#closeReason ?? "" });
  }

  async close(): Promise<void> {
    const reason = `The connection to ${this.#options.address} was closed by this side.`;
    this.#connection?.leave(reason);
    this.#onClosed(reason);
    await this.closed;
  }

  /** Waits one turn, as a round trip to the host would take. Rejects when the signal aborts. */
  #turn(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const giveUp = (): void => reject(waitCancelled(this.#options.address, signal));
      if (signal?.aborted === true) return giveUp();
      followAbort(signal, giveUp);
      this.#options.schedule(() => {
        unfollowAbort(signal, giveUp);
        resolve();
      });
    });
  }

  #open(): MemoryConnection | undefined {
    if (this.#closeReason !== undefined) return undefined;
    this.#connection ??= this.#options.connect({
      onLeaving: (reason) => this.#resolveLeaving(reason),
      onClosed: (reason) => this.#onClosed(reason),
    });
    if (this.#connection === undefined) {
      this.#onClosed(`Nothing listens on ${this.#options.address}. Start the host there, or check the address.`);
    }
    return this.#connection;
  }

  #onClosed(reason: string): void {
    this.#closeReason ??= reason;
    this.#resolveClosed(this.#closeReason);
    this.#resolveLeaving(this.#closeReason);
  }
}

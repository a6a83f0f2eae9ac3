import {
  type CancelledError,
  type Deadline,
  PendingCall,
  remainingMs,
  type TimedOutError,
} from "../../core/internal.ts";
import {
  type CancelReason,
  encodeFrame,
  metadataKey,
  type RequestFrame,
  type ResponseFrame,
  timeoutMetadata,
} from "../../protocol/internal.ts";
import type { Outbox } from "../connection/outbox.ts";
import { toCancelReason } from "./cancel-reason.ts";
import type { IncomingChunks } from "./incoming-chunks.ts";
import type { QueuedMessage, SendQueue, Waiting } from "./send-queue.ts";

/** One call that this worker makes: first it leaves, then it waits for its answer. */
export class OutgoingCall extends PendingCall<ResponseFrame> implements QueuedMessage {
  readonly kind = "call";
  readonly request: RequestFrame;
  readonly bytes: Uint8Array;
  /** Set while it waits to leave, if it had to. */
  waiting: Waiting | undefined;
  /** The moment at which its timeout is over; undefined if the host does not learn of one. */
  deadline: Deadline | undefined;
  /** Takes the chunks of the answer. Undefined: the caller reads none. */
  readonly chunks: IncomingChunks | undefined;
  readonly #sendQueue: SendQueue;
  #sentBy: Outbox | undefined;

  constructor(request: RequestFrame, bytes: Uint8Array, sendQueue: SendQueue, chunks?: IncomingChunks) {
    super();
    this.chunks = chunks;
    chunks?.begin(this);
    this.request = request;
    this.bytes = bytes;
    this.#sendQueue = sendQueue;
  }

  /** The connection by which it left, once it has. */
  get sentBy(): Outbox | undefined {
    return this.#sentBy;
  }

  get isTold(): boolean {
    return this.request.metadata[metadataKey.delivery] !== undefined;
  }

  /** Makes the bytes without path and depth. Undefined: the call has none. */
  get withoutPath(): (() => Uint8Array) | undefined {
    const { metadata: given } = this.request;
    if (given[metadataKey.path] === undefined && given[metadataKey.depth] === undefined) return undefined;
    return () => this.#encodedWithout(metadataKey.path, metadataKey.depth, metadataKey.stream);
  }

  /** Makes the bytes without the wish for chunks. Undefined: the call has none. */
  get withoutStream(): (() => Uint8Array) | undefined {
    return this.chunks === undefined ? undefined : () => this.#encodedWithout(metadataKey.stream);
  }

  onSent(outbox: Outbox): void {
    this.#sentBy = outbox;
    outbox.ask();
  }

  onReturned(waiting: Waiting): boolean {
    this.#sentBy?.forget();
    this.#sentBy = undefined;
    this.waiting = waiting;
    waiting.renew = renewing(this.request, this.deadline);
    return !this.isSettled;
  }

  onFailed(error: Error): void {
    this.reject(error);
  }

  /** Ends the call after a failure of its sending. The caller gets the failure itself and does not read the promise. */
  takeBack(error: unknown): void {
    this.promise.catch(() => undefined);
    if (!this.reject(error)) return;
    this.#giveUpFrame("cancelled");
  }

  #encodedWithout(...keys: readonly string[]): Uint8Array {
    const kept = Object.entries(this.request.metadata).filter(([key]) => !keys.includes(key));
    const request = { ...this.request, metadata: Object.fromEntries(kept) };
    return renewing(request, this.deadline)?.() ?? encodeFrame(request);
  }

  protected override get messageType(): string | undefined {
    return this.request.payload?.typeName;
  }

  protected override onGivenUp(error: TimedOutError | CancelledError): void {
    this.#giveUpFrame(toCancelReason(error));
  }

  #giveUpFrame(reason: CancelReason): void {
    if (this.waiting !== undefined) this.#sendQueue.takeBack(this.waiting);
    this.#sentBy?.cancelCall(this.request.requestId, reason);
  }
}

// protocol.md §11.4
/** Makes the bytes of a call anew, with the time that is left to it then. Undefined: the call has all the time. */
export function renewing(request: RequestFrame, deadline: Deadline | undefined): (() => Uint8Array) | undefined {
  if (deadline === undefined) return undefined;
  return () => {
    const left = timeoutMetadata(Math.max(1, remainingMs(deadline)));
    return encodeFrame({ ...request, metadata: { ...request.metadata, ...left } });
  };
}

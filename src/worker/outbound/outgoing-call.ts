import { PendingCall } from "../../core/internal.ts";
import type { RequestFrame, ResponseFrame } from "../../protocol/internal.ts";
import type { Outbox } from "../connection/outbox.ts";
import type { QueuedMessage, Waiting } from "./send-queue.ts";

/** One call that this worker makes: first it is to leave, then it waits for its answer. */
export class OutgoingCall extends PendingCall<ResponseFrame> implements QueuedMessage {
  readonly kind = "call";
  readonly request: RequestFrame;
  readonly bytes: Uint8Array;
  /** Set while it waits to leave, if it had to. */
  waiting: Waiting | undefined;
  #sentBy: Outbox | undefined;

  constructor(request: RequestFrame, bytes: Uint8Array) {
    super();
    this.request = request;
    this.bytes = bytes;
  }

  /** Where it has left, once it has. */
  get sentBy(): Outbox | undefined {
    return this.#sentBy;
  }

  onSent(outbox: Outbox): void {
    this.#sentBy = outbox;
    outbox.ask();
  }

  onReturned(waiting: Waiting): boolean {
    this.#sentBy?.forget();
    this.#sentBy = undefined;
    this.waiting = waiting;
    return !this.isSettled;
  }

  onFailed(error: Error): void {
    this.reject(error);
  }
}

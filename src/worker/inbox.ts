import type { Frame, RequestFrame } from "../protocol/index.ts";
import { CallAnswering } from "./call-answering.ts";
import { EventDelivery } from "./event-delivery.ts";
import type { HostConnection } from "./host-connection.ts";
import type { OutgoingCalls } from "./outgoing-calls.ts";
import type { WorkerParts } from "./worker-parts.ts";

/** What comes from the host, each kind to its place. Answers pass even while the worker stops; new work does not. */
export class Inbox {
  /** True from the moment the worker stops. */
  isRefusing = false;
  readonly #parts: WorkerParts;
  readonly #calls: OutgoingCalls;
  readonly #answering: CallAnswering;
  readonly #delivery: EventDelivery;

  constructor(parts: WorkerParts, calls: OutgoingCalls) {
    this.#parts = parts;
    this.#calls = calls;
    this.#answering = new CallAnswering(parts);
    this.#delivery = new EventDelivery(parts);
  }

  /** Takes a frame; never throws. */
  take(frame: Frame, connection: HostConnection): void {
    switch (frame.kind) {
      case "response":
        this.#calls.onResponse(frame);
        return;
      case "request":
        if (this.isRefusing && !this.#isOwn(frame)) this.#answering.refuse(frame, connection.outbox);
        else void this.#answering.answer(frame, connection.outbox);
        return;
      case "event":
        if (this.isRefusing) this.#parts.counts.eventsAfterStop += 1;
        else this.#delivery.deliver(frame.event);
        return;
      case "cancel":
        this.#answering.cancel(frame);
        return;
      case "leaving":
        this.#parts.settings.logger.debug("The host is about to leave.");
        return;
      case "empty":
        this.#parts.settings.logger.warn("The host sent a message without content; it was passed over.");
        return;
      case "register-type":
      case "subscribe":
      case "ack":
        this.#parts.settings.logger.warn(
          `The host sent a ${frame.kind}, which is none of its business; it was passed over.`,
        );
    }
  }

  /** What came by this connection can't be answered any more. */
  connectionEnded(connection: HostConnection): void {
    this.#answering.connectionEnded(connection.outbox);
  }

  /** A call from an agent here: a handler that is being let finish may need it. */
  #isOwn({ source }: RequestFrame): boolean {
    return source !== undefined && this.#parts.shelf.hasType(source.type);
  }
}

import { loggableText, TroupeError } from "../../core/internal.ts";
import { type Frame, type RequestFrame, readFrameHead } from "../../protocol/internal.ts";
import type { HostConnection } from "../connection/host-connection.ts";
import type { OutgoingCalls } from "../outbound/outgoing-calls.ts";
import { CallAnswering, type CallAnsweringOptions } from "./call-answering.ts";
import { EventDelivery, type EventDeliveryOptions } from "./event-delivery.ts";

type OnHostLeaving = (connection: HostConnection, graceMs: number) => void;

export interface InboxOptions extends CallAnsweringOptions, EventDeliveryOptions {
  readonly settings: CallAnsweringOptions["settings"] & EventDeliveryOptions["settings"];
  /** Takes the answers to this worker's own calls. */
  readonly calls: OutgoingCalls;
  readonly onHostLeaving: OnHostLeaving;
}

/** Takes each frame from the host to its place. Answers pass even while the worker stops; new work does not. */
export class Inbox {
  /** True from the moment the worker stops. */
  isRefusing = false;
  readonly #options: InboxOptions;
  readonly #answering: CallAnswering;
  readonly #delivery: EventDelivery;

  constructor(options: InboxOptions) {
    this.#options = options;
    this.#answering = new CallAnswering(options);
    this.#delivery = new EventDelivery(options);
  }

  /** Takes a frame; never throws. */
  take(frame: Frame, connection: HostConnection): void {
    switch (frame.kind) {
      case "response":
        this.#options.calls.onResponse(frame);
        return;
      case "request":
        this.#takeRequest(frame, connection);
        return;
      case "event":
        if (this.isRefusing) this.#options.counts.eventsAfterStop += 1;
        else if (this.#isOverloaded(connection)) this.#options.counts.droppedEvents += 1;
        else this.#delivery.deliver(frame.event);
        return;
      case "cancel":
        this.#answering.cancel(frame);
        return;
      case "leaving":
        this.#options.onHostLeaving(connection, frame.graceMs);
        return;
      case "empty":
        this.#options.settings.logger.warn("The host sent a message without content. It was passed over.");
        return;
      case "register-type":
      case "subscribe":
      case "ack":
        this.#options.settings.logger.warn(
          `The host sent a ${frame.kind}, which only workers send. It was passed over.`,
        );
    }
  }

  /** The worker can answer nothing more that came by this connection. */
  connectionEnded(connection: HostConnection): void {
    this.#answering.connectionEnded(connection.outbox);
  }

  /** Passes over a message that cannot be read. If its beginning names a call, the call's caller is told. */
  passOver(error: TroupeError, head: Uint8Array | undefined, { outbox }: HostConnection): void {
    this.#options.counts.unreadableFrames += 1;
    this.#options.settings.logger.warn(loggableText(`A message from the host was passed over: ${error.message}`));
    const call = head === undefined ? undefined : readFrameHead(head);
    if (call === undefined) return;
    if (call.kind === "request") this.#answering.refuseUnreadable(call.requestId, error, outbox);
    else
      this.#options.calls.reject(call.requestId, new TroupeError(error.code, `The answer came, but: ${error.message}`));
  }

  #takeRequest(frame: RequestFrame, connection: HostConnection): void {
    const { outbox } = connection;
    const isOwn = this.#isOwn(frame);
    if (this.isRefusing && !isOwn) this.#answering.refuse(frame, outbox);
    else if (!isOwn && (this.#isOverloaded(connection) || (connection.isFull && !connection.isPaused)))
      this.#answering.refuseOverload(frame, outbox);
    else this.#answering.answer(frame, outbox, isOwn);
  }

  /** Nothing more can be parked, and the worker reads on for the sake of answers. What comes in spite of a pause was under way. */
  #isOverloaded(connection: HostConnection): boolean {
    return this.#options.slots.isFull && !connection.isPaused;
  }

  /** A call from an agent of this worker: a handler that the stop waits for may need its answer. */
  #isOwn({ source }: RequestFrame): boolean {
    return source !== undefined && this.#options.catalog.hasType(source.type);
  }
}

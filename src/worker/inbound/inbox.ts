import { TroupeError } from "../../core/internal.ts";
import { type Frame, type RequestFrame, readFrameHead } from "../../protocol/internal.ts";
import type { HostConnection } from "../connection/host-connection.ts";
import type { OutgoingCalls } from "../outbound/outgoing-calls.ts";
import type { WorkerParts } from "../worker-parts.ts";
import { CallAnswering } from "./call-answering.ts";
import { EventDelivery } from "./event-delivery.ts";

type OnHostLeaving = (connection: HostConnection, graceMs: number) => void;

export interface InboxOptions {
  /** Agent types registered here that another worker serves by now. */
  readonly elsewhere: ReadonlySet<string>;
  readonly onHostLeaving: OnHostLeaving;
}

/** What comes from the host, each kind to its place. Answers pass even while the worker stops; new work does not. */
export class Inbox {
  /** True from the moment the worker stops. */
  isRefusing = false;
  readonly #parts: WorkerParts;
  readonly #calls: OutgoingCalls;
  readonly #answering: CallAnswering;
  readonly #delivery: EventDelivery;
  readonly #onHostLeaving: OnHostLeaving;

  constructor(parts: WorkerParts, calls: OutgoingCalls, { elsewhere, onHostLeaving }: InboxOptions) {
    this.#parts = parts;
    this.#onHostLeaving = onHostLeaving;
    this.#calls = calls;
    this.#answering = new CallAnswering(parts);
    this.#delivery = new EventDelivery(parts, elsewhere);
  }

  /** Takes a frame; never throws. */
  take(frame: Frame, connection: HostConnection): void {
    switch (frame.kind) {
      case "response":
        this.#calls.onResponse(frame);
        return;
      case "request":
        this.#takeRequest(frame, connection);
        return;
      case "event":
        if (this.isRefusing) this.#parts.counts.eventsAfterStop += 1;
        else if (this.#isOverloaded(connection)) this.#parts.counts.droppedEvents += 1;
        else this.#delivery.deliver(frame.event);
        return;
      case "cancel":
        this.#answering.cancel(frame);
        return;
      case "leaving":
        this.#onHostLeaving(connection, frame.graceMs);
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

  /** A message that can't be read. Where its beginning names a call, whoever waits for it learns of it. */
  passOver(error: TroupeError, head: Uint8Array | undefined, { outbox }: HostConnection): void {
    this.#parts.counts.unreadableFrames += 1;
    this.#parts.settings.logger.warn(`A message from the host was passed over: ${error.message}`);
    const call = head === undefined ? undefined : readFrameHead(head);
    if (call === undefined) return;
    if (call.kind === "request") this.#answering.refuseUnreadable(call.requestId, error, outbox);
    else this.#calls.reject(call.requestId, new TroupeError(error.code, `The answer came, but: ${error.message}`));
  }

  #takeRequest(frame: RequestFrame, connection: HostConnection): void {
    const { outbox } = connection;
    const isOwn = this.#isOwn(frame);
    if (this.isRefusing && !isOwn) this.#answering.refuse(frame, outbox);
    else if (!isOwn && (this.#isOverloaded(connection) || (connection.isFull && !connection.isPaused)))
      this.#answering.refuseOverload(frame, outbox);
    else this.#answering.answer(frame, outbox, isOwn);
  }

  /** Nothing more can be parked, and messages are read on for the sake of answers. What comes in spite of a pause was under way. */
  #isOverloaded(connection: HostConnection): boolean {
    return this.#parts.slots.isFull && !connection.isPaused;
  }

  /** A call from an agent here: a handler that is being let finish may need it. */
  #isOwn({ source }: RequestFrame): boolean {
    return source !== undefined && this.#parts.catalog.hasType(source.type);
  }
}

import {
  type AgentName,
  type Delivery,
  type Epoch,
  loggableText,
  type ReminderChange,
  TroupeError,
} from "../../core/internal.ts";
import {
  epochOf,
  type Frame,
  type HostsFrame,
  type LastFrame,
  type LeavingFrame,
  pathOf,
  type RequestFrame,
  readFrameHead,
  type VoidFrame,
} from "../../protocol/internal.ts";
import type { Leaving } from "../claims/leaving.ts";
import type { HostConnection } from "../connection/host-connection.ts";
import type { OutgoingCalls } from "../outbound/outgoing-calls.ts";
import { CallAnswering, type CallAnsweringOptions, type CallArrival, isRunRequest } from "./call-answering.ts";
import { EventDelivery, type EventDeliveryOptions } from "./event-delivery.ts";

type OnHostLeaving = (connection: HostConnection, leaving: LeavingFrame) => void;

export interface InboxOptions extends CallAnsweringOptions, EventDeliveryOptions {
  readonly settings: CallAnsweringOptions["settings"] & EventDeliveryOptions["settings"];
  /** Takes the answers to this worker's calls. */
  readonly calls: OutgoingCalls;
  readonly onHostLeaving: OnHostLeaving;
  /** Takes what a host of a cluster says of this worker and of other hosts. */
  readonly onLeaseNotice: (notice: VoidFrame | HostsFrame | LastFrame, connection: HostConnection) => void;
  readonly leaving: Leaving;
  /** An operator wants the worker to stop. */
  readonly onDrain: (graceMs: number) => void;
}

/** Hands each frame of the host to the part that handles it. A worker that stops still takes answers, but no new work. */
export class Inbox {
  /**
   * The messages that the inbox takes. `all`: the worker runs. `own`: it stops; it takes the calls of its own agents, because a
   * handler may need their answers. `none`: it has given its handlers up.
   */
  intake: "all" | "own" | "none" = "all";
  readonly #options: InboxOptions;
  readonly #answering: CallAnswering;
  readonly #delivery: EventDelivery;

  constructor(options: InboxOptions) {
    this.#options = options;
    this.#answering = new CallAnswering(options);
    this.#delivery = new EventDelivery(options);
  }

  /** Takes a frame, with its bytes; never throws. */
  take(frame: Frame, connection: HostConnection, bytes: Uint8Array): void {
    switch (frame.kind) {
      case "response":
        this.#options.calls.onResponse(frame);
        return;
      case "request":
        this.#takeRequest(frame, connection, bytes);
        return;
      case "event":
        if (this.intake !== "all") this.#options.counts.eventsAfterStop += 1;
        else if (this.#isOverloaded(connection)) {
          this.#options.counts.droppedEvents += 1;
          this.#delivery.passBy(frame.event, connection);
        } else this.#delivery.deliver(frame.event, connection, bytes);
        return;
      case "cancel":
        this.#answering.cancel(frame);
        return;
      case "chunk":
        this.#options.calls.onChunk(frame);
        return;
      case "credit":
        this.#answering.grant(frame);
        return;
      case "leaving":
        this.#options.onHostLeaving(connection, frame);
        return;
      case "heartbeat":
        // The connection takes those that it has asked for. This one means nothing.
        return;
      case "empty":
        this.#options.settings.logger.warn("The host sent a message without content. It was passed over.");
        return;
      case "leave":
        this.#options.leaving.take(frame, connection.outbox);
        return;
      case "void":
      case "hosts":
      case "last":
        return this.#options.onLeaseNotice(frame, connection);
      case "drain":
        this.#options.onDrain(frame.graceMs);
        return;
      case "register-type":
      case "subscribe":
      case "ack":
      case "stuck":
      case "unstuck":
      case "ask-leave":
      case "returned":
      case "left":
      case "stay":
      case "leaving-worker":
      case "holds":
      case "moving":
        this.#options.settings.logger.warn(
          `The host sent a ${frame.kind}, which only workers send. It was passed over.`,
        );
    }
  }

  /** Gives up all handlers and parked messages, and takes none from now on. They count for nothing in the next run. */
  giveUp(reason: Error): void {
    this.intake = "none";
    this.#options.work.abandon(reason);
    this.#answering.forgetAll();
    this.#options.slots.reset();
  }

  // protocol.md §11.19 E7
  /** A connection is lost, and the agents stay that its host has placed here. Drops what they have not begun; returns the number of events. */
  dropUnbegun({ outbox }: HostConnection): number {
    return this.#options.work.dropUnbegun(outbox);
  }

  /** Handles the end of a connection. No answer can leave by it. */
  connectionEnded(connection: HostConnection): void {
    this.#answering.connectionEnded(connection.outbox);
  }

  /** Tells the host that a call has waited long for its turn behind these turns. */
  reportWait(delivery: Delivery, behind: readonly string[]): void {
    this.#answering.reportWait(delivery, behind);
  }

  /** Tells the host that a call does not wait any more behind the turns that were reported last. */
  withdrawWait(delivery: Delivery): void {
    this.#answering.withdrawWait(delivery);
  }

  /** Drops the ticks of an agent that wait for their turn, and whose reminders were cancelled or set again. */
  withdrawTicks(agent: AgentName, changes: readonly ReminderChange[]): void {
    this.#answering.withdrawTicks(agent, changes);
  }

  /** Drops a message that the worker cannot read. If its beginning names a call, the caller gets an error. */
  passOver(error: TroupeError, head: Uint8Array | undefined, { outbox }: HostConnection): void {
    this.#options.counts.unreadableFrames += 1;
    const kind = "A message from the host was passed over";
    this.#options.settings.logger.warn(loggableText(`${kind}: ${error.message}`), undefined, kind);
    const call = head === undefined ? undefined : readFrameHead(head);
    if (call === undefined) return;
    if (call.kind === "request") this.#answering.refuseUnreadable(call.requestId, error, outbox);
    else if (call.kind === "chunk")
      this.#options.calls.refuseChunk(
        call.requestId,
        new TroupeError(error.code, `A chunk came, but: ${error.message}`),
      );
    else
      this.#options.calls.reject(call.requestId, new TroupeError(error.code, `The answer came, but: ${error.message}`));
  }

  #takeRequest(frame: RequestFrame, connection: HostConnection, bytes: Uint8Array): void {
    const { outbox } = connection;
    // No answer can leave any more. The host answers the call when the channel ends.
    if (outbox.isClosed) return;
    if (connection.isLeaving) {
      this.#answering.refuseMoving(frame, outbox);
      return;
    }
    if (this.intake !== "all") {
      if (this.intake === "own" && this.#options.calls.isMaking(frame))
        this.#answering.answer(frame, outbox, { bytes, isUrgent: true });
      else this.#answering.refuse(frame, outbox);
      return;
    }
    const isUrgent = this.#isOwn(frame) || this.#isNested(frame) || isRunRequest(frame);
    if (!isUrgent && (this.#isOverloaded(connection) || (connection.isFull && !connection.isPaused))) {
      this.#answering.refuseOverload(frame, outbox);
      const epoch = this.#epochOf(frame, connection);
      if (epoch !== undefined && frame.target !== undefined) this.#options.claims.passedBy(frame.target, epoch, outbox);
    } else this.#answer(frame, connection, { bytes, isUrgent });
  }

  /** The epoch under which the host has placed the target of a call here. Undefined: the target's type is not shared. */
  #epochOf({ target, metadata }: RequestFrame, { tellsRecipients }: HostConnection): Epoch | undefined {
    const { catalog } = this.#options;
    const isPlaced = tellsRecipients && catalog.hasShared && target !== undefined && catalog.sharingOf(target.type);
    return isPlaced ? epochOf(metadata) : undefined;
  }

  // protocol.md §11.14, §11.17
  /** A call to an agent that the host has placed here goes to it, or back. */
  #answer(frame: RequestFrame, connection: HostConnection, arrival: CallArrival): void {
    const { claims } = this.#options;
    const { outbox } = connection;
    const { target } = frame;
    const epoch = this.#epochOf(frame, connection);
    if (epoch === undefined || target === undefined) return this.#answering.answer(frame, outbox, arrival);
    const { bytes, isUrgent } = arrival;
    const admission = claims.admit(target, epoch, { path: pathOf(frame.metadata), from: outbox });
    switch (admission.at) {
      case "taken":
        return this.#answering.answer(
          frame,
          outbox,
          { bytes, isUrgent: isUrgent || admission.isAwaited },
          { bytes, ...admission },
        );
      case "returned":
        return this.#answering.returnAtOnce(frame, outbox, { ...admission, bytes, isAwaited: false });
      case "refused":
        return this.#answering.refuseLost(frame, outbox);
    }
  }

  /**
   * Whether the worker can park nothing more, but still reads because it waits for answers. Messages that come during a pause
   * were on their way; the worker parks them.
   */
  #isOverloaded(connection: HostConnection): boolean {
    return this.#options.slots.isFull && !connection.isPaused;
  }

  /** Whether a turn that runs here waits for the call: the turn holds a slot, and its agent. */
  #isNested({ metadata }: RequestFrame): boolean {
    const { paths } = this.#options.catalog;
    return !paths.isEmpty && paths.hasTurnOf(pathOf(metadata));
  }

  /** Whether an agent of this worker may have made the call. A handler that holds a slot may need its answer. */
  #isOwn({ source }: RequestFrame): boolean {
    return source !== undefined && this.#options.catalog.hasType(source.type);
  }
}

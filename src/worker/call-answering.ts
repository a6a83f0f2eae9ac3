import { type Deadline, deadlineAfter, HandlerContext, handleMessage, remainingMs } from "../core/delivery/index.ts";
import { type AgentId, errorText, TimedOutError, type TraceCarrier, UndeliverableException } from "../core/index.ts";
import {
  type CancelFrame,
  fromWireAgentId,
  type RequestFrame,
  type ResponseFrame,
  timeoutOf,
  toWireError,
} from "../protocol/index.ts";
import { fromCancelReason } from "./cancel-reason.ts";
import type { Outbox } from "./outbox.ts";
import { traced } from "./traced.ts";
import type { Work } from "./work-in-progress.ts";
import type { WorkerParts } from "./worker-parts.ts";

/** Answers the calls that reach this worker. Whatever happens to one, exactly one answer leaves for it (W5–W9, §6). */
export class CallAnswering {
  readonly #parts: WorkerParts;
  /** Those that run, by request id: under a host of ours no two have the same. */
  readonly #owed = new Map<string, OwedAnswer>();

  constructor(parts: WorkerParts) {
    this.#parts = parts;
  }

  /** The host says that nobody waits for a call's answer any more. One that has been answered meanwhile is none of ours. */
  cancel({ requestId, reason }: CancelFrame): void {
    const owed = this.#owed.get(requestId);
    // The host may say so twice (protocol.md §11.7).
    if (owed === undefined || owed.isCancelled) return;
    this.#parts.counts.abandonedCalls += 1;
    owed.cancel(fromCancelReason(reason));
  }

  /** This connection has ended: no answer gets out by it any more. */
  connectionEnded(outbox: Outbox): void {
    for (const owed of [...this.#owed.values()])
      if (owed.leavesBy(outbox)) owed.cancel(fromCancelReason("caller-gone"));
  }

  /** Answers at once that nothing is taken any more. */
  refuse(frame: RequestFrame, outbox: Outbox): void {
    const error = new UndeliverableException("The worker is shutting down.", { code: "shutting-down" });
    new OwedAnswer(frame.requestId, outbox, this.#parts).fail(error);
  }

  /** Answers at once that there is too much to do. */
  refuseOverload(frame: RequestFrame, outbox: Outbox): void {
    this.#parts.counts.refusedCalls += 1;
    const text = "The worker has too much to do and did not take the call. Try again later.";
    new OwedAnswer(frame.requestId, outbox, this.#parts).fail(new UndeliverableException(text, { code: "overloaded" }));
  }

  /** Answers at once with an error; `requestId` is all that could be read of the call. */
  refuseUnreadable(requestId: string, error: Error, outbox: Outbox): void {
    new OwedAnswer(requestId, outbox, this.#parts).fail(error);
  }

  /**
   * Runs the agent's handler, once there is a slot for it, and sends what it returns or throws. `isUrgent`: one that holds a
   * slot may be waiting for it. Never throws.
   */
  answer(frame: RequestFrame, outbox: Outbox, isUrgent: boolean): void {
    const { slots, work, settings } = this.#parts;
    const deadline = deadlineAfter(timeoutOf(frame.metadata), settings.clock);
    const owed = new OwedAnswer(frame.requestId, outbox, this.#parts);
    work.add(owed);
    this.#owed.set(frame.requestId, owed);
    if (isUrgent || slots.hasFree) void this.#run(frame, owed, deadline);
    else this.#park(frame, owed, deadline);
  }

  /** Its time may be up before there is a slot: then nobody waits for its handler any more, and it is not started. */
  #park(frame: RequestFrame, owed: OwedAnswer, deadline: Deadline | undefined): void {
    const { slots, settings } = this.#parts;
    const parked = {
      bytes: frame.payload?.data.length ?? 0,
      run: () => {
        timer?.cancel();
        owed.onGivenUp = undefined;
        void this.#run(frame, owed, deadline);
      },
    };
    owed.onGivenUp = () => {
      timer?.cancel();
      if (slots.withdraw(parked)) this.#forget(frame, owed);
    };
    const timer = deadline && settings.clock.setTimer(remainingMs(deadline), () => owed.abandon(tooLate()));
    slots.park(parked);
  }

  async #run(frame: RequestFrame, owed: OwedAnswer, deadline: Deadline | undefined): Promise<void> {
    this.#parts.slots.begin();
    try {
      await this.#handle(frame, owed, deadline);
    } catch (error) {
      owed.fail(error);
    } finally {
      this.#forget(frame, owed);
      this.#parts.slots.end();
    }
  }

  #forget({ requestId }: RequestFrame, owed: OwedAnswer): void {
    this.#parts.work.delete(owed);
    if (this.#owed.get(requestId) === owed) this.#owed.delete(requestId);
  }

  async #handle(frame: RequestFrame, owed: OwedAnswer, deadline: Deadline | undefined): Promise<void> {
    const { registry, settings } = this.#parts;
    if (frame.target === undefined) throw new UndeliverableException("The call names no target.");
    const target = fromWireAgentId(frame.target);
    const sender = frame.source === undefined ? undefined : fromWireAgentId(frame.source);
    const { typeName = "", contentType = "", data = new Uint8Array(0) } = frame.payload ?? {};
    const message = registry.decode(typeName, contentType, data);
    const details = {
      destination: target,
      link: frame.metadata,
      messageType: typeName,
      attributes: () => ({ request_id: frame.requestId }),
    };
    await traced(settings.tracing, "process", details, async () => {
      const messageId = frame.requestId;
      const context = new HandlerContext({ sender, topicId: undefined, isRpc: true, messageId, deadline });
      owed.begin(context);
      owed.carrier = settings.tracing?.inject();
      owed.succeed(await this.#deliver(message, target, context), target, sender);
    });
  }

  async #deliver(message: unknown, target: AgentId, context: HandlerContext): Promise<unknown> {
    const { shelf, log, mailboxes, settings } = this.#parts;
    if (!shelf.hasType(target.type)) throw new UndeliverableException(`Agent with name ${target.type} not found.`);
    const agent = await shelf.agentFor(target);
    const { sender } = context;
    log?.message("MessageKind.DIRECT", "DeliveryStage.DELIVER", { message, sender, receiver: target });
    try {
      return await handleMessage(agent, message, context, { ambient: settings.ambient, mailboxes });
    } catch (error) {
      log?.handlerException(message, target, error);
      throw error;
    } finally {
      context.release();
    }
  }
}

function tooLate(): Error {
  return new TimedOutError(
    "The time of the call was up before the worker had a slot for its handler, which was not started.",
  );
}

/** The answer owed for one call: the first outcome is sent, later ones are not. */
class OwedAnswer implements Work {
  /** Trace context of the span that handles the call. */
  carrier: TraceCarrier | undefined;
  /** While it is parked: called when its handler need not run any more. */
  onGivenUp: (() => void) | undefined;
  readonly #requestId: string;
  readonly #outbox: Outbox;
  readonly #parts: WorkerParts;
  #context: HandlerContext | undefined;
  #abortReason: Error | undefined;
  #isPaid = false;
  #isCancelled = false;

  constructor(requestId: string, outbox: Outbox, parts: WorkerParts) {
    this.#requestId = requestId;
    this.#outbox = outbox;
    this.#parts = parts;
  }

  /** An answer that can't be written or is too large becomes a failure. */
  succeed(result: unknown, target: AgentId, sender: AgentId | undefined): void {
    if (this.#isPaid) return;
    const { registry, settings, log } = this.#parts;
    const payload = registry.encode(result, settings.preferredContentType);
    log?.message("MessageKind.RESPOND", "DeliveryStage.SEND", { message: result, sender: target, receiver: sender });
    const metadata = this.carrier ?? {};
    this.#outbox.send({ kind: "response", requestId: this.#requestId, payload, error: "", metadata });
    this.#isPaid = true;
  }

  fail(thrown: unknown): void {
    if (this.#isPaid) return;
    this.#isPaid = true;
    try {
      this.#sendFailure(thrown);
    } catch (cause) {
      this.#parts.settings.logger.warn(`The answer to a call could not be sent: ${errorText(cause)}`);
      this.#explain(cause);
    }
  }

  /** A failure too long to be sent is replaced by one that says so. */
  #explain(cause: unknown): void {
    try {
      this.#sendFailure(cause);
    } catch {
      this.#parts.counts.unsentAnswers += 1;
    }
  }

  /** Throws what the outbox throws. */
  #sendFailure(thrown: unknown): void {
    const { error, metadata } = toWireError(thrown, { withStack: this.#parts.settings.sendsStacks });
    const frame: ResponseFrame = {
      kind: "response",
      requestId: this.#requestId,
      payload: undefined,
      error,
      metadata: { ...this.carrier, ...metadata },
    };
    this.#outbox.send(frame);
  }

  /** The handler is about to run; what has happened to its call meanwhile it is told. */
  begin(context: HandlerContext): void {
    this.#context = context;
    if (this.#abortReason !== undefined) context.abort(this.#abortReason);
  }

  /** The caller has given it up, and the handler was told. */
  get isCancelled(): boolean {
    return this.#isCancelled;
  }

  leavesBy(outbox: Outbox): boolean {
    return this.#outbox === outbox;
  }

  abandon(reason: Error): void {
    this.fail(reason);
    this.#abort(reason);
  }

  /** Nobody wants the answer any more: none is sent. */
  cancel(reason: Error): void {
    this.#isCancelled = true;
    this.#isPaid = true;
    this.#abort(reason);
  }

  #abort(reason: Error): void {
    this.#abortReason ??= reason;
    this.onGivenUp?.();
    this.#context?.abort(reason);
  }
}

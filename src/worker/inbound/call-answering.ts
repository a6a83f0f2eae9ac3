import {
  type Agent,
  type AgentId,
  type Deadline,
  deadlineAfter,
  HandlerContext,
  handleMessage,
  isThenable,
  NamedIndexedSet,
  remainingMs,
  TimedOutError,
  UndeliverableException,
} from "../../core/internal.ts";
import { type CancelFrame, fromWireAgentId, type RequestFrame, timeoutOf } from "../../protocol/internal.ts";
import type { Outbox } from "../connection/outbox.ts";
import { fromCancelReason } from "../outbound/cancel-reason.ts";
import type { WorkerParts } from "../worker-parts.ts";
import { PendingResponse } from "./pending-response.ts";

/** Answers the calls that reach this worker. Whatever happens to one, exactly one answer leaves for it (W5–W9, §6). */
export class CallAnswering {
  readonly #parts: WorkerParts;
  /** Those that wait or run, by request id: under a host of ours no two have the same. */
  readonly #owed = new NamedIndexedSet<"owedSlot", PendingResponse>("owedSlot", ({ requestId }) => requestId);

  constructor(parts: WorkerParts) {
    this.#parts = parts;
  }

  /** The host says that nobody waits for a call's answer any more. One that has been answered meanwhile is none of ours. */
  cancel({ requestId, reason }: CancelFrame): void {
    const owed = this.#owed.named(requestId);
    // The host may say so twice (protocol.md §11.7).
    if (owed === undefined || owed.isCancelled) return;
    this.#parts.counts.abandonedCalls += 1;
    owed.cancel(fromCancelReason(reason));
  }

  /** This connection has ended: no answer gets out by it any more. */
  connectionEnded(outbox: Outbox): void {
    for (const owed of this.#owed.all()) if (owed.leavesBy(outbox)) owed.cancel(fromCancelReason("caller-gone"));
  }

  /** Answers at once that nothing is taken any more. */
  refuse(frame: RequestFrame, outbox: Outbox): void {
    const error = new UndeliverableException("The worker is shutting down.", { code: "shutting-down" });
    new PendingResponse(frame.requestId, outbox, this.#parts).fail(error);
  }

  /** Answers at once that there is too much to do. */
  refuseOverload(frame: RequestFrame, outbox: Outbox): void {
    this.#parts.counts.refusedCalls += 1;
    const text = "The worker has too much to do and did not take the call. Try again later.";
    new PendingResponse(frame.requestId, outbox, this.#parts).fail(
      new UndeliverableException(text, { code: "overloaded" }),
    );
  }

  /** Answers at once with an error; `requestId` is all that could be read of the call. */
  refuseUnreadable(requestId: string, error: Error, outbox: Outbox): void {
    new PendingResponse(requestId, outbox, this.#parts).fail(error);
  }

  /**
   * Runs the agent's handler, once there is a slot for it, and sends what it returns or throws. `isUrgent`: one that holds a
   * slot may be waiting for it. Never throws.
   */
  answer(frame: RequestFrame, outbox: Outbox, isUrgent: boolean): void {
    const { slots, work, settings } = this.#parts;
    const deadline = deadlineAfter(timeoutOf(frame.metadata), settings.clock);
    const owed = new PendingResponse(frame.requestId, outbox, this.#parts);
    work.add(owed);
    if (isUrgent || slots.hasFree) return this.#run(frame, owed, deadline);
    this.#owed.add(owed);
    this.#park(frame, owed, deadline);
  }

  /** Its time may be up before there is a slot: then nobody waits for its handler any more, and it is not started. */
  #park(frame: RequestFrame, owed: PendingResponse, deadline: Deadline | undefined): void {
    const { slots, settings } = this.#parts;
    const parked = {
      bytes: frame.payload?.data.length ?? 0,
      run: () => {
        timer?.cancel();
        owed.onGivenUp = undefined;
        this.#run(frame, owed, deadline);
      },
    };
    owed.onGivenUp = () => {
      timer?.cancel();
      if (slots.withdraw(parked)) this.#forget(owed);
    };
    const timer = deadline && settings.clock.setTimer(remainingMs(deadline), () => owed.abandon(tooLate()));
    slots.park(parked);
  }

  /** One whose handler answers at once has left with this call; of the others the request id is remembered until they have. */
  #run(frame: RequestFrame, owed: PendingResponse, deadline: Deadline | undefined): void {
    this.#parts.slots.begin();
    try {
      const handled = this.#handle(frame, owed, deadline);
      if (handled !== undefined) {
        if (!this.#owed.has(owed)) this.#owed.add(owed);
        void handled.catch((error) => owed.fail(error)).then(() => this.#end(owed));
        return;
      }
    } catch (error) {
      owed.fail(error);
    }
    this.#end(owed);
  }

  #end(owed: PendingResponse): void {
    this.#forget(owed);
    this.#parts.slots.end();
  }

  #forget(owed: PendingResponse): void {
    this.#parts.work.delete(owed);
    this.#owed.delete(owed);
  }

  /** Throws, or rejects, with what has gone wrong. Returns nothing if all is done. */
  #handle(frame: RequestFrame, owed: PendingResponse, deadline: Deadline | undefined): Promise<void> | undefined {
    const { registry, settings } = this.#parts;
    if (frame.target === undefined) throw new UndeliverableException("The call names no target.");
    const target = fromWireAgentId(frame.target);
    const sender = frame.source === undefined ? undefined : fromWireAgentId(frame.source);
    const { typeName = "", contentType = "", data = new Uint8Array(0) } = frame.payload ?? {};
    const message = registry.decode(typeName, contentType, data);
    const messageId = frame.requestId;
    const begin = () => {
      const context = new HandlerContext({
        sender,
        topicId: undefined,
        isRpc: true,
        messageId,
        agentId: target,
        runtime: this.#parts.catalog.runtime,
        deadline,
        sentMetadata: frame.metadata,
      });
      owed.begin(context);
      return this.#deliver(message, target, context, owed);
    };
    const { tracing } = settings;
    if (tracing === undefined) return begin();
    const details = {
      destination: target,
      link: frame.metadata,
      messageType: typeName,
      attributes: () => ({ request_id: frame.requestId }),
    };
    return tracing.span("process", details, async () => {
      owed.carrier = tracing.inject();
      await begin();
    });
  }

  #deliver(
    message: unknown,
    target: AgentId,
    context: HandlerContext,
    owed: PendingResponse,
  ): Promise<void> | undefined {
    const { catalog } = this.#parts;
    if (!catalog.hasType(target.type)) throw new UndeliverableException(`Agent with name ${target.type} not found.`);
    const agent = catalog.agentFor(target);
    if (agent instanceof Promise) return agent.then((made) => this.#give(made, message, { target, context, owed }));
    return this.#give(agent, message, { target, context, owed });
  }

  #give(agent: Agent, message: unknown, call: GivenCall): Promise<void> | undefined {
    const { log, mailboxes, settings } = this.#parts;
    const { target, context } = call;
    log?.message("MessageKind.DIRECT", "DeliveryStage.DELIVER", { message, sender: context.sender, receiver: target });
    let answer: unknown;
    try {
      answer = handleMessage(agent, message, context, { ambient: settings.ambient, mailboxes });
    } catch (error) {
      throw this.#failed(message, call, error);
    }
    if (isThenable(answer)) return this.#giveLater(answer, message, call);
    context.release();
    call.owed.succeed(answer, target, context.sender);
    return undefined;
  }

  async #giveLater(pending: PromiseLike<unknown>, message: unknown, call: GivenCall): Promise<void> {
    let answer: unknown;
    try {
      answer = await pending;
    } catch (error) {
      throw this.#failed(message, call, error);
    }
    call.context.release();
    call.owed.succeed(answer, call.target, call.context.sender);
  }

  #failed(message: unknown, { target, context }: GivenCall, error: unknown): unknown {
    this.#parts.log?.handlerException(message, target, error);
    context.release();
    return error;
  }
}

/** A call whose handler runs. */
interface GivenCall {
  readonly target: AgentId;
  readonly context: HandlerContext;
  readonly owed: PendingResponse;
}

function tooLate(): Error {
  return new TimedOutError(
    "The time of the call was up before the worker had a slot for its handler, which was not started.",
  );
}

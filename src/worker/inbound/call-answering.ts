import {
  type AgentCatalog,
  type AgentId,
  type AgentName,
  bareContentType,
  type Deadline,
  type Delivery,
  type DeliveryOwner,
  type Dispatcher,
  deadlineAfter,
  depthIn,
  type GiveBackReason,
  HandlerContext,
  isIdempotencyKey,
  isRunMessageName,
  jsonContentType,
  keyRefused,
  NamedIndexedSet,
  type ReminderChange,
  remainingMs,
  TimedOutError,
  TopicId,
  type TraceCarrier,
  TroupeError,
  tickWithdrawn,
  UndeliverableException,
  waitingIn,
  withdrawsTick,
} from "../../core/internal.ts";
import {
  type CancelFrame,
  type CreditFrame,
  fromWireAgentId,
  isKeptCall,
  keptTopicOf,
  metadataKey,
  pathOf,
  pathText,
  type RequestFrame,
  reminderOf,
  timeoutOf,
} from "../../protocol/internal.ts";
import type { PlacedMessage } from "../claims/claim.ts";
import type { Outbox } from "../connection/outbox.ts";
import type { LeasedTurns } from "../lease/leased-turns.ts";
import { deliverInLoadContext } from "../load-context.ts";
import { fromCancelReason } from "../outbound/cancel-reason.ts";
import type { WorkerSettings } from "../worker-options.ts";
import { ChangedReminders } from "./changed-reminders.ts";
import type { ConcurrencyLimiter } from "./concurrency-limiter.ts";
import { HandlerSlot } from "./handler-slot.ts";
import type { InFlight } from "./in-flight.ts";
import { isRpcTopic } from "./incoming-event.ts";
import { PendingResponse, type PendingResponseOptions } from "./pending-response.ts";

export interface CallAnsweringOptions extends PendingResponseOptions {
  readonly settings: PendingResponseOptions["settings"] & Pick<WorkerSettings, "clock" | "tracing">;
  readonly catalog: AgentCatalog;
  readonly dispatcher: Dispatcher;
  readonly work: InFlight;
  readonly slots: ConcurrencyLimiter;
  /** The lease under which handlers begin. */
  readonly lease: LeasedTurns;
}

/** The arrival of a call. */
export interface CallArrival {
  /** The call as it came. */
  readonly bytes: Uint8Array;
  /** Whether a handler that holds a slot may wait for it, so that it needs none itself. */
  readonly isUrgent: boolean;
}

/** A call whose handler runs. */
interface IncomingCall extends Delivery {
  /** The type name of the message on the wire. */
  readonly typeName: string;
  readonly owed: PendingResponse;
  readonly handlerSlot: HandlerSlot | undefined;
}

/** Answers the calls that reach this worker. It sends exactly one answer for each call, except for a call that its caller gave up. */
// protocol.md §6, W5–W9
export class CallAnswering {
  readonly #options: CallAnsweringOptions;
  /** Calls that are parked or run, by request id. A Troupe host gives each its own id. */
  readonly #owed = new NamedIndexedSet<"owedSlot", PendingResponse>("owedSlot", ({ requestId }) => requestId);
  readonly #owner: DeliveryOwner<IncomingCall>;
  readonly #changedReminders: ChangedReminders;

  constructor(options: CallAnsweringOptions) {
    this.#options = options;
    this.#changedReminders = new ChangedReminders(options.settings.clock);
    this.#owner = {
      spanDetails: ({ agentId: destination, link, typeName: messageType, owed: { requestId } }) => {
        return { destination, link, messageType, attributes: () => ({ request_id: requestId }) };
      },
      onSpan: ({ owed }) => {
        owed.carrier = options.settings.tracing?.inject();
      },
      answered: ({ owed, handlerSlot, agentId, context }, answer) => {
        owed.succeed(answer, agentId, context.sender);
        this.#end(owed, handlerSlot);
      },
      failed: ({ owed, handlerSlot }, error) => {
        owed.fail(error, isTooNew(error) && !owed.hasBegun);
        this.#end(owed, handlerSlot);
      },
      refused: ({ owed, handlerSlot }, error) => {
        if (error instanceof TroupeError && error.code === "overloaded") options.counts.refusedCalls += 1;
        owed.fail(error, true);
        this.#end(owed, handlerSlot);
      },
    };
  }

  /** Handles the notice that no caller waits for a call's answer any more. Ignores a call that has its answer already. */
  cancel({ requestId, reason }: CancelFrame): void {
    const owed = this.#owed.named(requestId);
    // The host may send the notice twice (protocol.md §11.7).
    if (owed === undefined || owed.isCancelled) return;
    // protocol.md §11.16: a handler that has begun goes on.
    if (reason === "withdrawn" && owed.hasBegun) return;
    this.#options.counts.abandonedCalls += 1;
    owed.cancel(fromCancelReason(reason));
  }

  // protocol.md §11.21
  /** Takes a grant of a call's reader. Ignores one for a call that has its answer. */
  grant({ requestId, bytes }: CreditFrame): void {
    this.#owed.named(requestId)?.chunks?.grant(bytes);
  }

  // protocol.md §11.16
  /**
   * Drops the ticks of an agent that wait for their turn, and whose reminders were cancelled or set again. The host's own notice may come
   * after the next turn has begun. A tick that is still on its way is refused when it comes.
   */
  withdrawTicks({ type, key }: AgentName, changes: readonly ReminderChange[]): void {
    this.#changedReminders.note({ type, key }, changes);
    for (const owed of this.#owed.all()) {
      const { reminder, agentId } = owed.context ?? {};
      if (owed.hasBegun || reminder === undefined || agentId?.type !== type || agentId.key !== key) continue;
      if (withdrawsTick(changes, reminder) === true) owed.abandon(tickWithdrawn());
    }
  }

  // protocol.md §11.13
  /** Tells the host of a call that it has waited long behind these turns. */
  reportWait({ context }: Delivery, behind: readonly string[]): void {
    const { messageId: requestId, path } = context;
    this.#owed.named(requestId)?.sayStuck({ kind: "stuck", requestId, path: pathText(path), behind });
  }

  /** Tells the host of a call that it does not wait any more behind the turns that were reported last. */
  withdrawWait({ context: { messageId: requestId } }: Delivery): void {
    this.#owed.named(requestId)?.sayStuck({ kind: "unstuck", requestId });
  }

  /** Cancels the calls of a connection that has ended; no answer can leave by it. */
  connectionEnded(outbox: Outbox): void {
    for (const owed of this.#owed.all()) if (owed.leavesBy(outbox)) owed.cancel(fromCancelReason("caller-gone"));
  }

  /** Forgets the calls whose handlers were given up. A later connection may carry calls with the same ids. */
  forgetAll(): void {
    for (const owed of this.#owed.all()) this.#owed.delete(owed);
    this.#changedReminders.clear();
  }

  /** Answers at once that the worker is shutting down. */
  refuse(frame: RequestFrame, outbox: Outbox): void {
    const error = new UndeliverableException("The worker is shutting down.", { code: "shutting-down" });
    new PendingResponse(frame.requestId, outbox, this.#options).fail(error, true);
  }

  /** Answers at once, if it still can, that the worker registers on another connection. */
  refuseMoving(frame: RequestFrame, outbox: Outbox): void {
    // The host answers in the worker's place: it has heard that the worker takes no call here any more.
    if (outbox.isClosed) return;
    const text = "The worker moves to another connection and did not take the call. Send it again.";
    const error = new UndeliverableException(text, { code: "shutting-down" });
    new PendingResponse(frame.requestId, outbox, this.#options).fail(error, true);
  }

  /** Gives a call back to the host at once. */
  returnAtOnce(frame: RequestFrame, outbox: Outbox, placed: PlacedMessage): void {
    new PendingResponse(frame.requestId, outbox, this.#options, placed).goBack(placed.claim.returns);
  }

  /** Answers at once that the state is lost for which a turn of the called agent waits. */
  refuseLost(frame: RequestFrame, outbox: Outbox): void {
    const text =
      "The state of the called agent was written by another program, while one of its turns waits for this call.";
    const error = new TroupeError("state-conflict", `${text} The turn fails, too. Try again.`);
    new PendingResponse(frame.requestId, outbox, this.#options).fail(error, true);
  }

  /** Answers at once that the worker has too much to do. */
  refuseOverload(frame: RequestFrame, outbox: Outbox): void {
    this.#options.counts.refusedCalls += 1;
    const text = "The worker has too much to do and did not take the call. Try again later.";
    const error = new UndeliverableException(text, { code: "overloaded" });
    new PendingResponse(frame.requestId, outbox, this.#options).fail(error, true);
  }

  /** Answers at once with an error. The worker could read only the `requestId` of the call. */
  refuseUnreadable(requestId: string, error: Error, outbox: Outbox): void {
    new PendingResponse(requestId, outbox, this.#options).fail(error);
  }

  /**
   * Runs the agent's handler when a slot is free, and sends its result or its error. An urgent call needs no slot, because a
   * handler that holds a slot may wait for it. Never throws.
   */
  answer(frame: RequestFrame, outbox: Outbox, { bytes, isUrgent }: CallArrival, placed?: PlacedMessage): void {
    const { slots, work, settings, lease } = this.#options;
    const deadline = deadlineAfter(timeoutOf(frame.metadata), settings.clock);
    const owed = new PendingResponse(frame.requestId, outbox, this.#options, placed);
    owed.arrivedMs = lease.arrivedMs;
    owed.byteLength = bytes.length;
    work.add(owed);
    // The runtime answers it: readers of runs wait long, and must not take the slots of handlers.
    owed.hasNoSlot = isRunRequest(frame);
    if (owed.hasNoSlot || isUrgent || slots.hasFree) return this.#run(frame, owed, deadline, isUrgent);
    this.#owed.add(owed);
    this.#park(frame, owed, deadline);
  }

  /** Parks a call. Its handler does not start after the deadline, because no caller waits any more. */
  #park(frame: RequestFrame, owed: PendingResponse, deadline: Deadline | undefined): void {
    const { slots, settings } = this.#options;
    const parked = {
      bytes: owed.byteLength,
      run: () => {
        timer?.cancel();
        owed.onGivenUp = undefined;
        this.#run(frame, owed, deadline, false);
      },
    };
    owed.onGivenUp = () => {
      timer?.cancel();
      if (slots.withdraw(parked)) this.#forget(owed);
    };
    const timer = deadline && settings.clock.setTimer(remainingMs(deadline), () => owed.abandon(tooLate()));
    slots.park(parked);
  }

  /** Runs the handler. Remembers the request id until the handler ends, unless the handler answers at once. */
  #run(frame: RequestFrame, owed: PendingResponse, deadline: Deadline | undefined, isUrgent: boolean): void {
    if (!owed.hasNoSlot) this.#options.slots.begin();
    let call: IncomingCall;
    try {
      call = this.#open(frame, owed, deadline, isUrgent);
    } catch (error) {
      owed.fail(error, true);
      this.#end(owed);
      return;
    }
    const handled = deliverInLoadContext(this.#options.dispatcher, call, this.#owner);
    if (handled !== undefined && !this.#owed.has(owed)) this.#owed.add(owed);
  }

  /** The slot of a handler that a stop has given up is free already. */
  #end(owed: PendingResponse, slot?: HandlerSlot): void {
    if (!this.#forget(owed)) return;
    if (owed.hasNoSlot) return;
    if (slot === undefined) this.#options.slots.end();
    else slot.end();
  }

  /** Returns false for a call that a stop has given up. */
  #forget(owed: PendingResponse): boolean {
    this.#owed.delete(owed);
    return this.#options.work.delete(owed);
  }

  /** Reads the frame. Throws the error for the caller if the worker cannot deliver the call. */
  #open(frame: RequestFrame, owed: PendingResponse, deadline: Deadline | undefined, isUrgent: boolean): IncomingCall {
    const { registry, catalog, slots } = this.#options;
    if (frame.target === undefined) throw new UndeliverableException("The call names no target.");
    const agentId: AgentId = fromWireAgentId(frame.target);
    const sender = frame.source === undefined ? undefined : fromWireAgentId(frame.source);
    const { typeName = "", contentType = "", data = new Uint8Array(0) } = frame.payload ?? {};
    const message = registry.decode(typeName, contentType, data);
    if (!catalog.hasType(agentId.type)) throw new UndeliverableException(`Agent with name ${agentId.type} not found.`);
    const key = frame.metadata[metadataKey.idempotency];
    const isMail = isKeptCall(frame.metadata);
    owed.isUnread = isMail;
    if (key !== undefined && !isMail) assertKeyed(key, agentId, catalog);
    const reminder = isMail ? reminderOf(frame.metadata) : undefined;
    if (reminder !== undefined && this.#changedReminders.withdraws(agentId, reminder)) throw tickWithdrawn();
    const topic = isMail ? keptTopicOf(frame.metadata) : undefined;
    const topicId = topic === undefined ? undefined : TopicId.parse(topic);
    const messageId = frame.requestId;
    const principal = frame.metadata[metadataKey.principal];
    const context = new HandlerContext({
      ...{ sender, principal },
      topicId,
      isRpc: topicId === undefined || isRpcTopic(topicId.type),
      messageId,
      agentId,
      runtime: catalog.runtime,
      deadline,
      path: pathOf(frame.metadata),
      sentMetadata: frame.metadata,
      // Kept messages have no reader.
      chunks: isMail ? undefined : owed.openChunks(frame.metadata),
      reminder,
      // A reminder begins anew: nothing led to it but time.
      ...(reminder === undefined && { depth: depthIn(frame.metadata), isMail }),
      above: isMail ? 0 : waitingIn(frame.metadata),
    });
    owed.begin(context);
    const link: TraceCarrier = frame.metadata;
    const isInTurns = catalog.turnsOf(agentId.type) !== undefined && !owed.hasNoSlot;
    const handlerSlot = isInTurns ? new HandlerSlot(slots, owed.byteLength, isUrgent) : undefined;
    const giveBack = owed.claim && ((reason: GiveBackReason) => isGivenBack(owed, reason));
    // An agent without a state remembers nothing.
    const isKept = key !== undefined && (!isMail || catalog.keepsState(agentId.type));
    const kept = isKept ? { id: key, principal: principal ?? "", isMail } : undefined;
    const { arrivedMs } = owed;
    return { agentId, message, context, link, typeName, owed, handlerSlot, giveBack, arrivedMs, kept };
  }
}

/** Whether the runtime answers a call in place of its agent. */
export function isRunRequest({ payload, metadata }: RequestFrame): boolean {
  if (payload === undefined || !isRunMessageName(payload.typeName)) return false;
  // Only JSON becomes such a message. A kept event goes to its agent.
  return bareContentType(payload.contentType) === jsonContentType && metadata[metadataKey.topic] === undefined;
}

/** Whether a newer program has written the agent's state, so that this worker can't make the agent. */
function isTooNew(error: unknown): boolean {
  return error instanceof TroupeError && error.code === "state-too-new";
}

/** A call for which a turn of its agent waits can go nowhere else. */
function isGivenBack(owed: PendingResponse, reason: GiveBackReason): boolean {
  if (owed.isAwaited) return false;
  owed.goBack(reason);
  return true;
}

/** Throws `invalid-argument` for a key that no agent could remember, and for one to an agent without a state. */
function assertKeyed(key: string, agentId: AgentId, catalog: AgentCatalog): void {
  if (!catalog.keepsState(agentId.type)) throw keyRefused(agentId);
  if (isIdempotencyKey(key)) return;
  throw new TroupeError("invalid-argument", "An idempotencyKey must be a text of 1 to 256 characters.");
}

function tooLate(): Error {
  return new TimedOutError(
    "The time of the call was up before the worker had a slot for its handler, which was not started.",
  );
}

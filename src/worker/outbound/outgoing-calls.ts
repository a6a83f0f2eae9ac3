import {
  type AgentId,
  answerUndecidedText,
  assertAnswer,
  assertWithinGuards,
  boundsOf,
  type CallBounds,
  type CallPath,
  type CodecRegistry,
  type Deadline,
  DropMessage,
  deadlineAfter,
  depthMetadata,
  type EncodedMessage,
  type EventGuard,
  errorBeforeSend,
  HandlerContext,
  type InterventionChain,
  MessageDroppedException,
  type MessageLog,
  type MessageMetadata,
  type MessageType,
  messageTypeText,
  NumberMap,
  remainingMs,
  type SendOptions,
  scopePathOf,
  type TraceCarrier,
  UndeliverableException,
  undecidedText,
  withCheckedMetadata,
} from "../../core/internal.ts";
import {
  encodeFrame,
  fromWireError,
  isVoidPayload,
  metadataKey,
  pathMetadata,
  type RequestFrame,
  type ResponseFrame,
  timeoutMetadata,
  toWireAgentId,
} from "../../protocol/internal.ts";
import type { Outbox, UndeliverableReason } from "../connection/outbox.ts";
import type { WorkerCounters } from "../worker-counters.ts";
import type { WorkerSettings } from "../worker-options.ts";
import { type Called, explained, withGatewayCode } from "./error-hints.ts";
import { InterventionWaits } from "./intervention-waits.ts";
import { OutgoingCall, renewing } from "./outgoing-call.ts";
import type { SendQueue } from "./send-queue.ts";
import { saysNotTaken, TargetSearch } from "./target-search.ts";
import { traced } from "./traced.ts";

export type CallOptions = SendOptions & { readonly answer?: MessageType | undefined };

/** A call that the host keeps. */
export interface KeptCallRequest {
  readonly id: string;
  readonly sender: AgentId | undefined;
  readonly receiver: AgentId;
  readonly payload: EncodedMessage;
  readonly metadata: MessageMetadata | undefined;
  /** Handlers of events and told messages that led to it. */
  readonly depth: number;
}

export interface OutgoingCallsOptions {
  readonly settings: WorkerSettings;
  readonly registry: CodecRegistry;
  readonly interventions: InterventionChain;
  /** Undefined when no sink takes message-log records. */
  readonly log: MessageLog | undefined;
  readonly sendQueue: SendQueue;
  readonly counts: WorkerCounters;
  /** Returns 1, 2, …; calls and generation 1's registrations share the sequence. */
  readonly nextRequestNumber: () => number;
  /** Returns the path of a call that an agent makes without its handler's signal or scope. */
  readonly pathOf: (sender: AgentId | undefined) => CallPath;
  readonly eventGuard: EventGuard;
}

/** The calls this worker makes. Each has exactly one outcome: the answer, an error, its timeout, its signal, or the end of the connection. */
export class OutgoingCalls {
  readonly #parts: OutgoingCallsOptions;
  /** By the number in their request ids. */
  readonly #calls = new NumberMap<OutgoingCall>();
  /** Calls that wait to be sent again, since no worker serves their target yet. */
  readonly #searches = new Set<TargetSearch>();
  /** Calls for which an intervention has not decided yet, on their way out or back. */
  readonly #interventions = new InterventionWaits();

  constructor(parts: OutgoingCallsOptions) {
    this.#parts = parts;
  }

  get pendingCount(): number {
    return this.#calls.size + this.#searches.size + this.#interventions.size;
  }

  // W3
  /** Sends and awaits. What fails before the frame has left (metadata, encoding, size, connection) leaves nothing behind. */
  send(message: unknown, recipient: AgentId, given: CallOptions): Promise<unknown> {
    const options = withCheckedMetadata(given);
    const { tracing } = this.#parts.settings;
    if (tracing === undefined) return this.#call(message, recipient, options);
    const details = { destination: recipient, messageType: messageTypeText(message) };
    return tracing.span("create", details, () => this.#call(message, recipient, options));
  }

  // protocol.md §11.16
  /** Gives the host a call to keep. Resolves when it is kept; no agent has seen it then. Rejects with `overloaded` if its mailbox is full. */
  async keep({ id, sender, receiver, payload, metadata, depth }: KeptCallRequest): Promise<void> {
    const { sendQueue, settings } = this.#parts;
    sendQueue.assertRoom("call");
    const requestId = settings.requestIdPrefix + this.#parts.nextRequestNumber();
    const marks = { [metadataKey.delivery]: "durable", [metadataKey.idempotency]: id, ...depthMetadata(depth) };
    const request: RequestFrame = {
      ...{ kind: "request", requestId, payload, metadata: { ...metadata, ...marks } },
      ...{ source: sender && toWireAgentId(sender), target: toWireAgentId(receiver) },
    };
    const frame = await this.#answerTo(new OutgoingCall(request, encodeFrame(request), sendQueue), {
      ...{
        bounds: lastResort,
        deadline: deadlineAfter(lastResortMs, settings.clock),
        recipient: receiver,
        isTold: false,
      },
    });
    if (frame.error !== "") throw fromWireError(frame.error, frame.metadata, undefined);
  }

  // W9
  /** Takes an answer from the host. Counts one that no call waits for. */
  onResponse(frame: ResponseFrame): void {
    if (this.#waitingFor(frame.requestId)?.resolve(frame)) return;
    this.#parts.counts.unexpectedAnswers += 1;
    this.#parts.settings.logger.debug("An answer came for a call that does not wait any more.");
  }

  /** The answer to this call came, but cannot be read. Returns false when no call waits for it. */
  reject(requestId: string, error: Error): boolean {
    return this.#waitingFor(requestId)?.reject(error) ?? false;
  }

  #waitingFor(requestId: string): OutgoingCall | undefined {
    const call = this.#calls.get(Number(requestId.slice(this.#parts.settings.requestIdPrefix.length)));
    return call?.request.requestId === requestId ? call : undefined;
  }

  /** Calls that left by this connection have no answer any more. */
  connectionEnded(outbox: Outbox, reason: string): void {
    const text = `${reason} The call may have been handled: send it again only if that does no harm.`;
    for (const call of this.#calls.values()) {
      if (call.sentBy === outbox) call.reject(new UndeliverableException(text, { code: "disconnected" }));
    }
  }

  rejectAll({ code, text }: UndeliverableReason): void {
    const sent = `${text} The call may have been handled: send it again only if that does no harm.`;
    for (const call of this.#calls.values()) call.reject(new UndeliverableException(sent, { code }));
    const notSent = `${text} The call was waiting for a worker that serves its agent type, and was not handled.`;
    for (const search of [...this.#searches])
      search.end(new UndeliverableException(notSent, { code, notHandled: true }));
    this.#interventions.rejectAll((notHandled) => new UndeliverableException(text, { code, notHandled }));
  }

  /** Allows calls again after `rejectAll`, for the next run. */
  reopen(): void {
    this.#interventions.reopen();
  }

  /**
   * Whether an agent of this worker makes the call that has reached it. The host gives calls new ids; another worker's call of the same
   * agents may pass for one. Looks at all pending calls, so that only a worker that stops should ask.
   */
  isMaking({ source, target }: RequestFrame): boolean {
    if (source === undefined) return false;
    for (const { sentBy, request } of this.#calls.values())
      if (sentBy !== undefined && isSameAgent(request.target, target) && isSameAgent(request.source, source))
        return true;
    return false;
  }

  async #call(original: unknown, recipient: AgentId, options: CallOptions): Promise<unknown> {
    const { registry, interventions, settings, log, sendQueue } = this.#parts;
    const { sender } = options;
    const { run } = sendQueue;
    sendQueue.assertRun(run);
    const bounds = boundsOf(options, settings);
    const tooLate = errorBeforeSend(bounds, recipient);
    if (tooLate !== undefined) throw tooLate;
    const path = scopePathOf(options, settings.ambient) ?? this.#parts.pathOf(sender);
    if (path.length > 0) assertWithinGuards(path, recipient, settings.guards);
    const onPath = { ...pathMetadata(path), ...depthMetadata(this.#parts.eventGuard.depthOf(sender, options)) };
    const named =
      options.idempotencyKey === undefined ? undefined : { [metadataKey.idempotency]: options.idempotencyKey };
    const isTold = bounds.timeoutMs !== undefined;
    const kept = isTold ? bounds : withLastResort(bounds);
    // The bounds begin here, so that an intervention can't take the call out of them.
    const deadline = deadlineAfter(kept.timeoutMs, settings.clock);
    const timed: TimedBounds = { bounds: kept, deadline, recipient, isTold };
    const search = this.#searchFor(recipient, kept, options.waitForTarget);
    log?.message("MessageKind.DIRECT", "DeliveryStage.SEND", { message: original, sender, receiver: recipient });
    let message = original;
    let limits = kept;
    if (interventions.seesSend) {
      message = await this.#intervened(original, options, timed);
      limits = boundsLeft(timed);
      const isOver = errorBeforeSend(limits, recipient);
      if (isOver !== undefined) throw isOver;
    }
    const payload = registry.encode(message, settings.preferredContentType);
    const promised = options.answer ?? registry.typeOf(message, settings.preferredContentType)?.answer;
    if (promised !== undefined && !registry.has(promised.typeName, promised.contentType)) registry.add(promised);
    const source = sender === undefined ? undefined : toWireAgentId(sender);
    const target = toWireAgentId(recipient);
    const { tracing } = settings;
    let frame: ResponseFrame;
    for (;;) {
      sendQueue.assertRun(run);
      const requestId = settings.requestIdPrefix + this.#parts.nextRequestNumber();
      const told = isTold ? timeoutMetadata(limits.timeoutMs) : undefined;
      const metadata = { ...options.metadata, ...tracing?.inject(), ...told, ...onPath, ...named };
      const request: RequestFrame = { kind: "request", requestId, source, target, payload, metadata };
      frame = await this.#answerTo(new OutgoingCall(request, encodeFrame(request), sendQueue), timed);
      if (search === undefined || !saysNotTaken(frame, recipient.type)) break;
      limits = await this.#nextAttempt(search);
    }
    const called = { recipient, messageType: payload.typeName };
    if (tracing === undefined && !interventions.seesResponse) return this.#open(frame, called, sender, promised);
    return this.#ack(frame, called, sender, promised, timed);
  }

  async #answerTo(call: OutgoingCall, timed: TimedBounds): Promise<ResponseFrame> {
    const number = Number(call.request.requestId.slice(this.#parts.settings.requestIdPrefix.length));
    this.#calls.add(number, call);
    try {
      try {
        if (this.#parts.settings.tracing === undefined) this.#post(call, timed);
        else this.#postTraced(call, timed);
      } catch (error) {
        call.takeBack(error);
        throw error;
      }
      return await call.promise;
    } finally {
      this.#calls.delete(number);
      call.sentBy?.forget();
    }
  }

  #searchFor(
    { type: agentType }: AgentId,
    bounds: CallBounds,
    waitForTarget: number | undefined,
  ): TargetSearch | undefined {
    if (waitForTarget === undefined) return undefined;
    const { clock, random } = this.#parts.settings;
    return new TargetSearch({ agentType, waitForTarget, bounds, clock, random });
  }

  async #nextAttempt(search: TargetSearch): Promise<CallBounds> {
    this.#searches.add(search);
    try {
      return await search.next();
    } finally {
      this.#searches.delete(search);
    }
  }

  #postTraced(call: OutgoingCall, timed: TimedBounds): void {
    const details = { destination: timed.recipient, link: call.request.metadata };
    traced(this.#parts.settings.tracing, "send", details, () => this.#post(call, timed));
  }

  // W3
  /** Sends, or queues the call within its own bounds. Throws what cannot be sent. */
  #post(call: OutgoingCall, { bounds, deadline, recipient, isTold }: TimedBounds): void {
    const waiting = this.#parts.sendQueue.post(call);
    call.waiting = waiting;
    if (isTold) {
      call.deadline = deadline;
      if (waiting !== undefined) waiting.renew = renewing(call.request, deadline);
    }
    call.within(bounds, deadline, recipient);
  }

  async #intervened(message: unknown, options: CallOptions, timed: TimedBounds): Promise<unknown> {
    const { recipient } = timed;
    const { sender, signal, metadata, messageId = this.#parts.settings.makeId() } = options;
    const messageContext = new HandlerContext({
      sender,
      topicId: undefined,
      isRpc: true,
      messageId,
      signal,
      metadata,
    });
    try {
      const decided = this.#parts.interventions.onSend(message, { messageContext, recipient });
      const result = await this.#interventions.of(decided, {
        ...timed,
        isBefore: true,
        context: messageContext,
        timedOut: undecidedText,
      });
      if (result !== DropMessage) return result;
      this.#parts.log?.dropped("MessageKind.DIRECT", { message, sender, receiver: recipient });
      throw new MessageDroppedException();
    } finally {
      messageContext.release();
    }
  }

  /** The same as `#open`, with the span and the interventions that see the answer. */
  #ack(
    frame: ResponseFrame,
    called: Called,
    sender: AgentId | undefined,
    promised: MessageType | undefined,
    timed: TimedBounds,
  ): Promise<unknown> {
    const { recipient } = called;
    const link: TraceCarrier = frame.metadata;
    const details = {
      link,
      messageType: frame.payload?.typeName,
      attributes: () => ({ request_id: frame.requestId }),
    };
    return traced(this.#parts.settings.tracing, "ack", details, async () => {
      const answer = this.#read(frame, called);
      const { interventions, log } = this.#parts;
      const decided = interventions.onResponse(answer, { sender: recipient, recipient: sender });
      const result = await this.#interventions.of(decided, {
        ...timed,
        isBefore: false,
        timedOut: answerUndecidedText,
      });
      if (result !== DropMessage) return this.#checked(result, recipient, sender, promised);
      log?.dropped("MessageKind.RESPOND", { message: answer, sender: recipient, receiver: sender });
      throw new MessageDroppedException();
    });
  }

  #open(frame: ResponseFrame, called: Called, sender: AgentId | undefined, promised: MessageType | undefined): unknown {
    return this.#checked(this.#read(frame, called), called.recipient, sender, promised);
  }

  /** Throws what the answer says has gone wrong. */
  #read(frame: ResponseFrame, called: Called): unknown {
    const { error, metadata, payload } = frame;
    if (error !== "") {
      const text = explained(frame, called);
      // A text that was explained is a host's, or it names the agent.
      throw fromWireError(text, withGatewayCode(error, metadata), text === error ? called.recipient : undefined);
    }
    if (isVoidPayload(payload)) return undefined;
    return this.#parts.registry.decode(payload.typeName, payload.contentType, payload.data);
  }

  #checked(
    answer: unknown,
    recipient: AgentId,
    sender: AgentId | undefined,
    promised: MessageType | undefined,
  ): unknown {
    assertAnswer(answer, promised, recipient);
    this.#parts.log?.message("MessageKind.RESPOND", "DeliveryStage.DELIVER", {
      message: answer,
      sender: recipient,
      receiver: sender,
    });
    return answer;
  }
}

function isSameAgent(one: RequestFrame["target"], other: RequestFrame["target"]): boolean {
  return one?.type === other?.type && one?.key === other?.key;
}

/** The bounds of one call, and the moment at which its timeout is over. Undefined: it has no timeout. */
interface TimedBounds {
  readonly bounds: CallBounds;
  readonly deadline: Deadline | undefined;
  readonly recipient: AgentId;
  /** Whether the host and the target learn the timeout. They do not learn `lastResortMs`, which no caller has asked for. */
  readonly isTold: boolean;
}

/** Timeout of a call without one. The host answers after 300 s by default; this ends the wait for a host that does not. */
const lastResortMs = 330_000;
const lastResort: CallBounds = Object.freeze({ timeoutMs: lastResortMs });

function withLastResort({ signal }: CallBounds): CallBounds {
  return signal === undefined ? lastResort : { signal, timeoutMs: lastResortMs };
}

function boundsLeft({ bounds, deadline }: TimedBounds): CallBounds {
  return deadline === undefined ? bounds : { ...bounds, timeoutMs: remainingMs(deadline) };
}

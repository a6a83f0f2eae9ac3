import {
  type AgentId,
  assertWithinGuards,
  boundsOf,
  type CallBounds,
  type CallPath,
  type ChunkReader,
  type CodecRegistry,
  type CountedCall,
  DropMessage,
  defaultWindowBytes,
  depthMetadata,
  type EncodedMessage,
  type EventGuard,
  errorBeforeSend,
  HandlerContext,
  type InterventionChain,
  isRunMessage,
  MessageDroppedException,
  type MessageLog,
  type MessageMetadata,
  type MessageStreamOptions,
  type MessageType,
  messageTypeText,
  openStream,
  type SendOptions,
  scopePathOf,
  TopicId,
  UndeliverableException,
  undecidedText,
  type WaitingHandlers,
  withCheckedMetadata,
} from "../../core/internal.ts";
import {
  type ChunkFrame,
  encodeFrame,
  fromWireError,
  metadataKey,
  pathMetadata,
  type RequestFrame,
  type ResponseFrame,
  timeoutMetadata,
  toWireAgentId,
  type WireEvent,
} from "../../protocol/internal.ts";
import type { Outbox, UndeliverableReason } from "../connection/outbox.ts";
import type { WorkerTimes } from "../metrics/worker-times.ts";
import type { WorkerCounters } from "../worker-counters.ts";
import type { WorkerSettings } from "../worker-options.ts";
import { AnswerReader } from "./answer-reader.ts";
import { IncomingChunks } from "./incoming-chunks.ts";
import { InterventionWaits } from "./intervention-waits.ts";
import { PendingCalls } from "./pending-calls.ts";
import type { SendQueue } from "./send-queue.ts";
import { quotaHintIn, saysNotTaken, saysTooNew, TargetSearch } from "./target-search.ts";
import { beginBounds, boundsLeft, type TimedBounds } from "./timed-bounds.ts";

export type CallOptions = SendOptions & {
  readonly answer?: MessageType | undefined;
  /** Takes the chunks of a streamed call. */
  readonly chunks?: IncomingChunks | undefined;
};

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

/** A call before anything of it is sent. */
interface CallStart {
  /** The run of the runtime in which it is made. */
  readonly run: SendQueue["run"];
  readonly bounds: CallBounds;
  /** The turns that wait for it. */
  readonly path: CallPath;
  /** Handlers that led to it and do not wait for it. */
  readonly depth: number;
  /** The handlers that wait for it, if they are counted. */
  readonly counted: CountedCall | undefined;
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
  /** Notes that a call with this path begins. Returns what to call when it has ended, before its caller hears of that. */
  readonly callBegins: (options: SendOptions, path: CallPath) => (() => void) | undefined;
  readonly eventGuard: EventGuard;
  readonly waiting: WaitingHandlers;
  /** Undefined: nothing is measured. */
  readonly times: WorkerTimes | undefined;
}

/** The calls that this worker makes. Each has exactly one outcome: the answer, an error, its timeout, its signal, or the end of the connection. */
export class OutgoingCalls {
  readonly #parts: OutgoingCallsOptions;
  readonly #pending: PendingCalls;
  readonly #answers: AnswerReader;
  /** Calls that wait to be sent again, since no worker serves their target yet. */
  readonly #searches = new Set<TargetSearch>();
  /** Calls for which an intervention has not decided yet, on their way out or back. */
  readonly #interventions = new InterventionWaits();

  constructor(parts: OutgoingCallsOptions) {
    this.#parts = parts;
    this.#pending = new PendingCalls(parts);
    this.#answers = new AnswerReader({ ...parts, waits: this.#interventions });
  }

  get pendingCount(): number {
    return this.#pending.size + this.#searches.size + this.#interventions.size;
  }

  // W3
  /** Sends and awaits. What fails before the frame has left (metadata, encoding, size, connection) leaves nothing behind. */
  send(message: unknown, recipient: AgentId, given: CallOptions): Promise<unknown> {
    const options = withCheckedMetadata(given);
    const { times } = this.#parts;
    if (times === undefined) return this.#traced(message, recipient, options);
    return times.call(recipient.type, () => this.#traced(message, recipient, options));
  }

  // protocol.md §11.21
  /** Sends a call, and returns the stream of its answer. `assertMayLeave` throws if the worker can't send. */
  stream(message: unknown, recipient: AgentId, options: MessageStreamOptions, assertMayLeave: () => void): ChunkReader {
    const { settings, interventions, registry } = this.#parts;
    const { clock, ambient } = settings;
    const type = registry.typeOf(message, settings.preferredContentType);
    const promised = type?.chunk;
    const { windowBytes = defaultWindowBytes } = options;
    let chunks: IncomingChunks | undefined;
    return openStream(recipient, options, {
      ...{ clock, ambient, interventions, type },
      grant: (totalBytes) => chunks?.grant(totalBytes),
      send: async (sendOptions, reader) => {
        assertMayLeave();
        if (promised !== undefined && !registry.has(promised.typeName, promised.contentType)) registry.add(promised);
        chunks = new IncomingChunks({ reader, windowBytes, registry, recipient, promised });
        return this.send(message, recipient, { ...sendOptions, chunks });
      },
    });
  }

  // protocol.md §11.21
  /** Takes a chunk from the host. One that no call waits for crossed the end of its stream. */
  onChunk(frame: ChunkFrame): void {
    if (!this.#pending.takeChunk(frame)) this.#parts.settings.logger.debug("A chunk came for a stream that has ended.");
  }

  /** Ends the stream of a chunk that can't be read. */
  refuseChunk(requestId: string, error: Error): void {
    this.#pending.refuseChunk(requestId, error);
  }

  #traced(message: unknown, recipient: AgentId, options: CallOptions): Promise<unknown> {
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
    const requestId = this.#pending.nextRequestId();
    const marks = { [metadataKey.delivery]: "durable", [metadataKey.idempotency]: id, ...depthMetadata(depth) };
    const request: RequestFrame = {
      ...{ kind: "request", requestId, payload, metadata: { ...metadata, ...marks } },
      ...{ source: sender && toWireAgentId(sender), target: toWireAgentId(receiver) },
    };
    const frame = await this.#pending.answerTo(request, beginBounds({}, receiver, settings));
    if (frame.error !== "") throw fromWireError(frame.error, frame.metadata, undefined);
  }

  // protocol.md §11.18
  /** Gives the host an event to keep. Resolves when it is kept for all agents with a durable subscription. */
  async keepEvent(event: WireEvent, idempotencyKey: string, signal: AbortSignal | undefined): Promise<void> {
    const { sendQueue, settings } = this.#parts;
    const requestId = this.#pending.nextRequestId();
    const marks = { [metadataKey.delivery]: "durable", [metadataKey.idempotency]: idempotencyKey };
    const attributes = { ...event.attributes, ...marks, [metadataKey.request]: requestId };
    const bytes = encodeFrame({ kind: "event", event: { ...event, attributes } });
    // The event stands for a call, since the host answers it. Its depth stays: a host that keeps messages knows depths.
    const call: RequestFrame = {
      ...{ kind: "request", requestId, source: undefined, target: undefined, payload: event.payload, metadata: marks },
    };
    sendQueue.assertRoom("event");
    const topic = new TopicId(event.topicType, event.topicSource);
    const frame = await this.#pending.answerTo(call, beginBounds({ signal }, topic, settings), bytes);
    if (frame.error !== "") throw fromWireError(frame.error, frame.metadata, undefined);
  }

  // W9
  /** Takes an answer from the host. Counts one that no call waits for. */
  onResponse(frame: ResponseFrame): void {
    if (this.#pending.resolve(frame)) return;
    this.#parts.counts.unexpectedAnswers += 1;
    this.#parts.settings.logger.debug("An answer came for a call that does not wait any more.");
  }

  /** The answer to this call came, but cannot be read. Returns false when no call waits for it. */
  reject(requestId: string, error: Error): boolean {
    return this.#pending.reject(requestId, error);
  }

  /** Calls that left by this connection have no answer any more. */
  connectionEnded(outbox: Outbox, reason: string): void {
    this.#pending.connectionEnded(outbox, reason);
  }

  rejectAll(reason: UndeliverableReason): void {
    const { code, text } = reason;
    this.#pending.rejectAll(reason);
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
  isMaking(request: RequestFrame): boolean {
    return this.#pending.isMaking(request);
  }

  #call(message: unknown, recipient: AgentId, options: CallOptions): Promise<unknown> {
    let start: CallStart;
    try {
      start = this.#startOf(recipient, options);
    } catch (error) {
      return Promise.reject(error);
    }
    const { path, counted } = start;
    const ended = this.#parts.callBegins(options, path);
    const answer = this.#answerTo(message, recipient, options, start);
    if (ended === undefined && counted === undefined) return answer;
    return answer.finally(() => {
      ended?.();
      counted?.end();
    });
  }

  /** Throws if the call can't be made. */
  #startOf(recipient: AgentId, options: CallOptions): CallStart {
    const { settings, sendQueue, pathOf, eventGuard, waiting } = this.#parts;
    const { run } = sendQueue;
    sendQueue.assertRun(run);
    const bounds = boundsOf(options, settings);
    const tooLate = errorBeforeSend(bounds, recipient);
    if (tooLate !== undefined) throw tooLate;
    const path = scopePathOf(options, settings.ambient) ?? pathOf(options.sender);
    if (path.length > 0) assertWithinGuards(path, recipient, settings.guards);
    const depth = eventGuard.callDepth(options.sender, options, recipient);
    const counted = waiting.callBegins(options, recipient);
    return { run, bounds, path, depth, counted };
  }

  async #answerTo(
    original: unknown,
    recipient: AgentId,
    options: CallOptions,
    { run, bounds, path, depth, counted }: CallStart,
  ): Promise<unknown> {
    const { registry, interventions, settings, log, sendQueue } = this.#parts;
    const { sender, chunks } = options;
    const onPath = { ...pathMetadata(path), ...depthMetadata(depth, counted?.waiting), ...chunks?.metadata };
    const named =
      options.idempotencyKey === undefined ? undefined : { [metadataKey.idempotency]: options.idempotencyKey };
    // The bounds begin here, so that an intervention can't take the call out of them.
    const timed = beginBounds(bounds, recipient, settings);
    const search = this.#searchFor(recipient, timed.bounds, options.waitForTarget);
    log?.message("MessageKind.DIRECT", "DeliveryStage.SEND", { message: original, sender, receiver: recipient });
    let message = original;
    let limits = timed.bounds;
    if (interventions.seesSend && !isRunMessage(original)) {
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
      const requestId = this.#pending.nextRequestId();
      const told = timed.isTold ? timeoutMetadata(limits.timeoutMs) : undefined;
      const metadata = { ...options.metadata, ...tracing?.inject(), ...told, ...onPath, ...named };
      const request: RequestFrame = { kind: "request", requestId, source, target, payload, metadata };
      frame = await this.#pending.answerTo(request, timed, undefined, chunks);
      if (search === undefined) break;
      const hintMs = quotaHintIn(frame);
      if (hintMs === undefined ? !saysNotTaken(frame, recipient.type) : !search.hasTimeFor(hintMs)) break;
      // There is a worker, and what it says helps more than that none was found.
      if (saysTooNew(frame.metadata) && search.isOver) break;
      limits = await this.#nextAttempt(search, hintMs);
    }
    chunks?.answered(frame.metadata);
    return this.#answers.read(frame, { recipient, messageType: payload.typeName, sender, promised, timed });
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

  async #nextAttempt(search: TargetSearch, leastMs: number | undefined): Promise<CallBounds> {
    this.#searches.add(search);
    try {
      return await search.next(leastMs);
    } finally {
      this.#searches.delete(search);
    }
  }

  async #intervened(message: unknown, options: CallOptions, timed: TimedBounds<AgentId>): Promise<unknown> {
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
}

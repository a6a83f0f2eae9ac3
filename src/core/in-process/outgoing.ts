import type {
  AgentRuntime,
  MessageStreamOptions,
  PublishOptions,
  SendOptions,
  SendOptionsWithAnswer,
  TellOptions,
} from "../agent-runtime.ts";
import type { AgentId } from "../agents/agent-id.ts";
import type { Clock, MakeId } from "../clock.ts";
import type { TimerMessage } from "../delivery/activations/activation-timers.ts";
import type { AgentCatalog } from "../delivery/activations/agent-catalog.ts";
import { boundsOf, errorBeforeSend, type RuntimeBounds, scopePathOf } from "../delivery/calls/call-bounds.ts";
import type { WaitingHandlers } from "../delivery/calls/waiting-handlers.ts";
import type { EventGuard } from "../delivery/event-guard.ts";
import { HandlerContext } from "../delivery/handler-context.ts";
import type { Delivery } from "../delivery/layers.ts";
import type { MessageLog } from "../delivery/message-log.ts";
import { keyRefused } from "../delivery/states/remembered-layer.ts";
import { openStream } from "../delivery/streams/streamed-call.ts";
import type { TargetWait, TypeArrivals } from "../delivery/type-arrivals.ts";
import { errorText, MessageDroppedException, UndeliverableException } from "../errors.ts";
import { DropMessage, type InterventionChain } from "../intervention.ts";
import type { RuntimeLog } from "../limited-log.ts";
import type { CallPath } from "../scope/call-path.ts";
import { deadlineAfter } from "../scope/deadline.ts";
import { assertWithinGuards, type Guards } from "../scope/guards.ts";
import type { CountedCall } from "../scope/handler-scope.ts";
import type { CodecRegistry } from "../serialization/codec-registry.ts";
import { messageTypeText } from "../serialization/message-index.ts";
import type { ChunkReader } from "../streaming/chunk-reader.ts";
import type { ChunkSink } from "../streaming/chunk-sink.ts";
import { defaultWindowBytes, StreamWindow } from "../streaming/stream-window.ts";
import { resolveTopic, type TopicId } from "../topics/topic-id.ts";
import type { Tracing } from "../tracing.ts";
import { LocalCall, type PublishEnvelope, type SendEnvelope } from "./envelope.ts";
import type { KeptMessages } from "./kept-messages.ts";
import { LocalChunks } from "./local-chunks.ts";
import type { MessagePump } from "./message-pump.ts";

/** The parts of a runtime that its outgoing messages need. */
export interface OutgoingParts {
  readonly runtime: AgentRuntime;
  readonly catalog: AgentCatalog;
  readonly codecs: CodecRegistry;
  readonly arrivals: TypeArrivals;
  readonly interventions: InterventionChain;
  readonly pump: MessagePump;
  readonly kept: () => KeptMessages;
  /** Returns the agents with a durable subscription to a topic. */
  readonly durableRecipients: (topic: TopicId) => readonly AgentId[];
  readonly log: MessageLog | undefined;
  readonly logger: RuntimeLog;
  readonly tracing: Tracing | undefined;
  readonly clock: Clock;
  readonly makeId: MakeId;
  readonly bounds: RuntimeBounds;
  readonly guards: Guards;
  readonly eventGuard: EventGuard;
  readonly waiting: WaitingHandlers;
  readonly checksMessages: boolean;
}

/** Options of a call, which may name the type of its answer. `chunks` takes the chunks of a streamed one. */
export type OutgoingCallOptions = SendOptions &
  Partial<SendOptionsWithAnswer<unknown>> & { readonly chunks?: ChunkSink | undefined };

/** Puts the calls, events, told messages and timer messages of a runtime into its queue. */
export class Outgoing {
  readonly #parts: OutgoingParts;
  /** Interventions may replace a call's message: it is checked after them. */
  readonly #checksCallsFirst: boolean;

  constructor(parts: OutgoingParts) {
    this.#parts = parts;
    this.#checksCallsFirst = parts.checksMessages && !parts.interventions.seesSend;
  }

  /** Sends a call. Its options are checked. */
  send(message: unknown, recipient: AgentId, options: OutgoingCallOptions): Promise<unknown> {
    const { tracing } = this.#parts;
    if (tracing === undefined) return this.#send(message, recipient, options);
    const details = { destination: recipient, messageType: messageTypeText(message) };
    return tracing.span("create", details, () => this.#send(message, recipient, options));
  }

  /** Sends a call, and returns the stream of its answer. Its options are checked. */
  stream(message: unknown, recipient: AgentId, options: MessageStreamOptions): ChunkReader {
    const { codecs, checksMessages, clock, interventions, runtime } = this.#parts;
    const type = codecs.typeOf(message);
    const window = new StreamWindow(options.windowBytes ?? defaultWindowBytes);
    return openStream(recipient, options, {
      ...{ clock, ambient: runtime.ambient, interventions, type },
      grant: (totalBytes) => window.grant(totalBytes),
      send: (sendOptions, reader) => {
        const refusalOf = checksMessages ? (chunk: unknown) => codecs.refusalOfAnswer(chunk, type?.chunk) : undefined;
        const chunks = new LocalChunks({ reader, window, promised: type?.chunk, sender: recipient, refusalOf });
        return this.send(message, recipient, { ...sendOptions, chunks });
      },
    });
  }

  /** Publishes an event. Its options are checked. Returns a promise for one that is kept. */
  publish(message: unknown, topicId: TopicId, options: PublishOptions): void | Promise<void> {
    const { tracing, runtime } = this.#parts;
    const topic = resolveTopic(topicId, options.sender, runtime.ambient);
    if (tracing === undefined) return this.#publishOrKeep(message, topic, options);
    const details = { destination: topic, messageType: messageTypeText(message) };
    return tracing.span("create", details, () => this.#publishOrKeep(message, topic, options));
  }

  #publishOrKeep(message: unknown, topic: TopicId, options: PublishOptions): void | Promise<void> {
    if (options.delivery === "durable") {
      const { durableRecipients } = this.#parts;
      const keepers = durableRecipients(topic).filter((agent) => !agent.equals(options.sender));
      if (keepers.length > 0) return this.#publishDurable(message, topic, options, keepers);
    }
    return this.#publish(message, topic, options);
  }

  /** Keeps a told message. Its options are checked. */
  tell(message: unknown, recipient: AgentId, options: TellOptions): Promise<void> {
    const { tracing } = this.#parts;
    if (tracing === undefined) return this.#tell(message, recipient, options);
    const details = { destination: recipient, messageType: messageTypeText(message) };
    return tracing.span("create", details, () => this.#tell(message, recipient, options));
  }

  async #tell(message: unknown, recipient: AgentId, options: TellOptions): Promise<void> {
    const { codecs, interventions, log, makeId: messageId } = this.#parts;
    const { sender, metadata } = options;
    const depth = this.#parts.eventGuard.toldDepth(sender, recipient);
    const refusal = this.#parts.checksMessages ? codecs.refusalOf(message) : undefined;
    if (refusal !== undefined && !interventions.seesSend) throw refusal;
    log?.message("MessageKind.DIRECT", "DeliveryStage.SEND", { message, sender, receiver: recipient });
    const kept = this.#parts.kept();
    if (!interventions.seesSend) return kept.tell(message, recipient, options, depth);
    const messageContext = new HandlerContext({ sender, topicId: undefined, isRpc: true, messageId, metadata });
    const decided = await interventions.onSend(message, { messageContext, recipient });
    if (decided !== DropMessage) return kept.tell(decided, recipient, options, depth);
    log?.dropped("MessageKind.DIRECT", { message, sender, receiver: recipient });
    throw new MessageDroppedException();
  }

  /** Delivers the message of a timer or a run. Its turn waits in the queue as every message. A runtime that has ended drops it. */
  deliverTimer({ agentId, message, context: given, link, onEnd, onDropped }: TimerMessage): void {
    const { runtime, makeId: messageId, pump } = this.#parts;
    const own = { sender: agentId, topicId: undefined, isRpc: true, messageId, agentId, runtime };
    const context = given ?? new HandlerContext(own);
    const running = { agentId, message, context, link, call: undefined, slot: 0 };
    pump.push({ kind: "timer", ...running, onEnd, onDropped, queue: undefined });
  }

  /** Sends an event of a turn that is written. */
  sendKept(event: PublishEnvelope): void {
    try {
      this.#pushEvent(event);
    } catch (error) {
      this.#parts.logger.debug(`An event for ${event.topicId} was dropped: ${errorText(error)}`);
    }
  }

  /** Throws `invalid-message` for an answer that a worker could not send. */
  assertSendable({ promised }: Delivery & Partial<Pick<SendEnvelope, "promised">>, answer: unknown): void {
    const refusal = this.#parts.checksMessages ? this.#parts.codecs.refusalOfAnswer(answer, promised) : undefined;
    if (refusal !== undefined) throw refusal;
  }

  #send(message: unknown, recipient: AgentId, options: OutgoingCallOptions): Promise<unknown> {
    const { catalog, runtime, guards } = this.#parts;
    const path = scopePathOf(options, runtime.ambient) ?? catalog.senders.pathOf(options.sender, guards.maxDepth);
    if (path.length === 0) return this.#sendWithPath(message, recipient, options, path);
    try {
      assertWithinGuards(path, recipient, guards);
    } catch (error) {
      return Promise.reject(error);
    }
    const ended = catalog.senders.callBegins(options, path);
    if (ended === undefined) return this.#sendWithPath(message, recipient, options, path);
    return this.#sendFromTurn(ended, () => this.#sendWithPath(message, recipient, options, path));
  }

  /** Sends a call of a persistent agent's turn, which hears of the outcome after `ended`. */
  async #sendFromTurn(ended: () => void, send: () => Promise<unknown>): Promise<unknown> {
    try {
      return await send();
    } finally {
      ended();
    }
  }

  #sendWithPath(message: unknown, recipient: AgentId, options: OutgoingCallOptions, path: CallPath): Promise<unknown> {
    const { catalog, codecs, runtime, pump, clock, log, tracing } = this.#parts;
    const { sender, metadata, idempotencyKey, messageId = this.#parts.makeId } = options;
    const bounds = boundsOf(options, this.#parts.bounds);
    const { signal, timeoutMs } = bounds;
    let depth: number;
    try {
      depth = this.#parts.eventGuard.callDepth(sender, options, recipient);
    } catch (error) {
      return Promise.reject(error);
    }
    const isBounded = signal !== undefined || timeoutMs !== undefined;
    const tooLate = isBounded ? errorBeforeSend(bounds, recipient) : undefined;
    if (tooLate !== undefined) return Promise.reject(tooLate);
    const type = codecs.typeOf(message);
    if (type === undefined && this.#checksCallsFirst) {
      const refusal = codecs.refusalOf(message);
      if (refusal !== undefined) return Promise.reject(refusal);
    }
    const { waitForTarget } = options;
    if (waitForTarget !== undefined && !catalog.hasType(recipient.type)) {
      return this.#sendOnArrival(message, recipient, { ...options, ...bounds, waitForTarget });
    }
    log?.message("MessageKind.DIRECT", "DeliveryStage.SEND", { message, sender, receiver: recipient });
    if (!catalog.hasType(recipient.type)) {
      const hint = `no agent type ${recipient.type} is registered in this runtime. Register the type, or correct it in the call.`;
      return Promise.reject(new UndeliverableException(`Recipient not found: ${hint}`, { notHandled: true }));
    }
    if (idempotencyKey !== undefined && !catalog.keepsState(recipient.type)) {
      return Promise.reject(keyRefused(recipient));
    }
    let counted: CountedCall | undefined;
    try {
      counted = this.#parts.waiting.callBegins(options, recipient);
    } catch (error) {
      return Promise.reject(error);
    }
    const deadline = deadlineAfter(timeoutMs, clock);
    const context = new HandlerContext({
      sender,
      topicId: undefined,
      isRpc: true,
      messageId,
      agentId: recipient,
      runtime,
      deadline,
      isDeadlineWatched: true,
      path,
      depth,
      above: counted?.waiting,
      chunks: options.chunks,
      metadata,
    });
    const call = new LocalCall(context, message, pump);
    call.counted = counted;
    if (isBounded) call.within(bounds, deadline, recipient);
    const promised = options.answer ?? type?.answer;
    const link = tracing?.inject();
    const envelope: SendEnvelope = {
      kind: "send",
      agentId: recipient,
      message,
      context,
      link,
      call,
      slot: 0,
      promised,
      queue: undefined,
    };
    if (idempotencyKey === undefined) pump.push(envelope);
    else pump.push({ ...envelope, kept: { id: idempotencyKey, principal: "" } });
    return call.promise;
  }

  /** Sends the call when its agent type is registered, with the time that is left to it then. */
  async #sendOnArrival(
    message: unknown,
    recipient: AgentId,
    options: OutgoingCallOptions & TargetWait,
  ): Promise<unknown> {
    const { clock, arrivals } = this.#parts;
    const { timeoutMs } = options;
    const startMs = clock.now();
    await arrivals.wait(recipient.type, options);
    const left = timeoutMs === undefined ? undefined : timeoutMs - (clock.now() - startMs);
    return this.#send(message, recipient, { ...options, timeoutMs: left, waitForTarget: undefined });
  }

  #publish(message: unknown, topicId: TopicId, options: PublishOptions): void {
    const { codecs, tracing, catalog } = this.#parts;
    const { sender, signal, metadata, messageId = this.#parts.makeId() } = options;
    const refusal = this.#parts.checksMessages ? codecs.refusalOf(message) : undefined;
    if (refusal !== undefined) throw refusal;
    const depth = this.#parts.eventGuard.eventDepth(sender, options, topicId);
    if (depth === undefined) return;
    const link = tracing?.inject();
    const named = { topicId, sender, messageId, signal, metadata };
    const event: PublishEnvelope = { kind: "publish", message, ...named, link, depth };
    const effects = options.immediately === true ? undefined : catalog.senders.effectsOf(sender);
    if (effects === undefined) this.#pushEvent(event);
    else effects.addEvent(event);
  }

  /** Keeps an event for agents with a durable subscription. When it is kept, the others get it. */
  async #publishDurable(
    original: unknown,
    topicId: TopicId,
    options: PublishOptions,
    keepers: readonly AgentId[],
  ): Promise<void> {
    const { codecs, interventions, tracing, log, eventGuard } = this.#parts;
    const { sender, signal, metadata, messageId = this.#parts.makeId() } = options;
    const { seesPublish } = interventions;
    if (this.#parts.checksMessages && !seesPublish) assertSendable(codecs, original);
    const depth = eventGuard.eventDepth(sender, options, topicId);
    if (depth === undefined) return;
    const message = seesPublish ? await this.#intervened(original, topicId, options, messageId) : original;
    if (message === DropMessage)
      return log?.dropped("MessageKind.PUBLISH", { message: original, sender, receiver: topicId });
    const rest = { ...({ kind: "publish", message, topicId, sender, messageId, signal, metadata } as const), depth };
    const event: PublishEnvelope = { ...rest, link: tracing?.inject(), except: keepers };
    const effects = options.immediately === true ? undefined : this.#parts.catalog.senders.effectsOf(sender);
    const mail = this.#parts.kept().eventMail(event, options.idempotencyKey ?? this.#parts.makeId());
    if (effects !== undefined) return effects.addDurableEvent(mail, event);
    await this.#parts.kept().keepEvent(event, mail);
    this.#pushEvent(event);
  }

  #intervened(message: unknown, topicId: TopicId, options: PublishOptions, messageId: string): unknown {
    const { sender, signal, metadata } = options;
    const messageContext = new HandlerContext({ sender, topicId, isRpc: false, messageId, signal, metadata });
    return this.#parts.interventions.onPublish(message, { messageContext });
  }

  #pushEvent(event: PublishEnvelope): void {
    const { message, sender, topicId: receiver } = event;
    this.#parts.log?.message("MessageKind.PUBLISH", "DeliveryStage.SEND", { message, sender, receiver });
    this.#parts.pump.push(event);
  }
}

/** Throws the error for a message that a worker could not send. */
function assertSendable(codecs: CodecRegistry, message: unknown): void {
  const refusal = codecs.refusalOf(message);
  if (refusal !== undefined) throw refusal;
}

import {
  type AgentId,
  CancelledError,
  type CodecRegistry,
  DropMessage,
  depthMetadata,
  type EventGuard,
  errorText,
  HandlerContext,
  type InterventionChain,
  isThenable,
  loggableError,
  loggableText,
  type MessageLog,
  messageTypeText,
  type PublishOptions,
  resolveTopic,
  type TopicId,
  type TurnEffects,
  UndeliverableException,
  withCheckedMetadata,
} from "../../core/internal.ts";
import { encodeFrame, metadataKey, toWireAgentId, type WireEvent } from "../../protocol/internal.ts";
import { assertLength, type UndeliverableReason } from "../connection/outbox.ts";
import type { WorkerSettings } from "../worker-options.ts";
import { InterventionWaits } from "./intervention-waits.ts";
import type { SendQueue } from "./send-queue.ts";
import { traced } from "./traced.ts";

export interface OutgoingEventsOptions {
  readonly settings: WorkerSettings;
  readonly registry: CodecRegistry;
  readonly interventions: InterventionChain;
  /** Undefined when no sink takes message-log records. */
  readonly log: MessageLog | undefined;
  readonly sendQueue: SendQueue;
  /** Returns the effects of the turn of a persistent agent that publishes. Undefined: the event leaves at once. */
  readonly effectsOf: (sender: AgentId | undefined) => TurnEffects | undefined;
  readonly eventGuard: EventGuard;
  /** Gives the host an event to keep. */
  readonly keepEvent: (event: WireEvent, idempotencyKey: string, signal: AbortSignal | undefined) => Promise<void>;
  /** Makes the effect of a turn that is a durable event. Throws `not-accessible` if the host of this worker keeps none. */
  readonly durableEffect: (bytes: Uint8Array) => unknown;
  /** Rejects as `not-accessible` if the host keeps no messages, and as `disconnected` without a host. */
  readonly assertKeepsMail: () => Promise<void>;
}

/** Publishes the events of this worker. They go to the host, also events for its own agents. */
export class OutgoingEvents {
  readonly #parts: OutgoingEventsOptions;
  /** Events for which an intervention has not decided yet. */
  readonly #interventions = new InterventionWaits();

  constructor(parts: OutgoingEventsOptions) {
    this.#parts = parts;
  }

  /** Number of events for which an intervention has not decided yet. */
  get undecidedCount(): number {
    return this.#interventions.size;
  }

  /** Resolves when interventions have decided about all events. */
  decided(): Promise<void> {
    return this.#interventions.settled();
  }

  /** Rejects the events for which an intervention has not decided. Its later decision is ignored. */
  rejectAll({ code, text }: UndeliverableReason): void {
    this.#interventions.rejectAll((notHandled) => new UndeliverableException(text, { code, notHandled }));
  }

  /** Allows events again after `rejectAll`, for the next run. */
  reopen(): void {
    this.#interventions.reopen();
  }

  /**
   * Publishes an event. Resolves when it is sent or queued, and also when an intervention drops it. Rejects when the worker can't
   * encode or queue it.
   */
  publish(message: unknown, topic: TopicId, given: PublishOptions): Promise<void> {
    const options = withCheckedMetadata(given);
    const { tracing, ambient } = this.#parts.settings;
    const topicId = resolveTopic(topic, options.sender, ambient);
    if (tracing === undefined) return this.#publish(message, topicId, options);
    const details = { destination: topicId, messageType: messageTypeText(message) };
    return tracing.span("create", details, () => this.#publish(message, topicId, options));
  }

  async #publish(original: unknown, topicId: TopicId, options: PublishOptions): Promise<void> {
    const { registry, interventions, settings, log, sendQueue } = this.#parts;
    const { sender, metadata, messageId = settings.makeId() } = options;
    const { run } = sendQueue;
    sendQueue.assertRun(run);
    const depth = this.#parts.eventGuard.eventDepth(sender, options, topicId);
    if (depth === undefined) return;
    log?.message("MessageKind.PUBLISH", "DeliveryStage.SEND", { message: original, sender, receiver: topicId });
    const message = interventions.seesPublish
      ? await this.#intervened(original, topicId, options, messageId)
      : original;
    if (message === DropMessage) return;
    sendQueue.assertRun(run);
    const payload = registry.encode(message, settings.preferredContentType);
    const own = { ...metadata, ...settings.tracing?.inject() };
    const attributes = depth === 0 ? own : { ...own, ...depthMetadata(depth) };
    const event = {
      id: messageId,
      topicType: topicId.type,
      topicSource: topicId.source,
      sender: sender === undefined ? undefined : toWireAgentId(sender),
      payload,
      attributes,
    };
    const effects = options.immediately === true ? undefined : this.#parts.effectsOf(sender);
    if (options.delivery === "durable") return this.#publishDurable(event, { options, effects });
    const bytes = encodeFrame({ kind: "event", event });
    if (effects !== undefined) {
      assertLength(bytes, settings.maxMessageBytes);
      effects.addEvent(bytes, bytes.length);
      return;
    }
    const withoutPath =
      depth === 0 ? undefined : () => encodeFrame({ kind: "event", event: { ...event, attributes: own } });
    await traced(settings.tracing, "publish", { destination: topicId, link: attributes }, () =>
      sendQueue.publish({ bytes, withoutPath }, options.signal),
    );
  }

  // protocol.md §11.18
  /** In a turn of a persistent agent the event is kept with its commit, else at once. */
  async #publishDurable(
    event: WireEvent,
    { options, effects }: { readonly options: PublishOptions; readonly effects: TurnEffects | undefined },
  ): Promise<void> {
    const { settings } = this.#parts;
    const id = options.idempotencyKey ?? settings.makeId();
    if (effects === undefined) {
      await this.#parts.assertKeepsMail();
      return this.#parts.keepEvent(event, id, options.signal);
    }
    const marks = { [metadataKey.delivery]: "durable", [metadataKey.idempotency]: id };
    const bytes = encodeFrame({ kind: "event", event: { ...event, attributes: { ...event.attributes, ...marks } } });
    assertLength(bytes, settings.maxMessageBytes);
    effects.addEvent(this.#parts.durableEffect(bytes), bytes.length);
  }

  async #intervened(
    message: unknown,
    topicId: TopicId,
    { sender, signal, metadata }: PublishOptions,
    messageId: string,
  ): Promise<unknown> {
    const messageContext = new HandlerContext({ sender, topicId, isRpc: false, messageId, signal, metadata });
    try {
      const decided = this.#decide(message, topicId, messageContext);
      const wait = { bounds: { signal }, deadline: undefined, isBefore: true, context: messageContext };
      const result = await this.#interventions.of(decided, wait);
      if (result === failed) return DropMessage;
      if (result === DropMessage)
        this.#parts.log?.dropped("MessageKind.PUBLISH", { message, sender, receiver: topicId });
      return result;
    } catch (error) {
      if (signal?.aborted !== true) throw error;
      throw new CancelledError("Publishing was cancelled.", { cause: signal.reason });
    } finally {
      messageContext.release();
    }
  }

  /** Returns the decision or a promise of it, which never rejects. Logs the failure of an intervention and returns `failed`. */
  #decide(message: unknown, topicId: TopicId, messageContext: HandlerContext): unknown {
    const { interventions, settings } = this.#parts;
    const fail = (error: unknown) => {
      const text = `An intervention failed on an event for ${topicId}, which is dropped: ${errorText(error)}`;
      settings.logger.error(loggableText(text), { error: loggableError(error) }, "An intervention failed on an event");
      return failed;
    };
    try {
      const decided = interventions.onPublish(message, { messageContext });
      return isThenable(decided) ? decided.then(undefined, fail) : decided;
    } catch (error) {
      return fail(error);
    }
  }
}

/** The outcome of an intervention that threw. */
const failed = Symbol("failed");

import {
  type CodecRegistry,
  DropMessage,
  errorText,
  HandlerContext,
  type InterventionChain,
  loggableError,
  loggableText,
  type MessageLog,
  messageTypeText,
  type PublishOptions,
  resolveTopic,
  type TopicId,
  withCheckedMetadata,
} from "../../core/internal.ts";
import { encodeFrame, toWireAgentId } from "../../protocol/internal.ts";
import type { WorkerSettings } from "../worker-options.ts";
import type { SendQueue } from "./send-queue.ts";
import { traced } from "./traced.ts";

export interface OutgoingEventsOptions {
  readonly settings: WorkerSettings;
  readonly registry: CodecRegistry;
  readonly interventions: InterventionChain;
  /** Undefined when no sink takes message-log records. */
  readonly log: MessageLog | undefined;
  readonly sendQueue: SendQueue;
}

/** Publishes the events of this worker. They go to the host, also events for its own agents. */
export class OutgoingEvents {
  readonly #parts: OutgoingEventsOptions;

  constructor(parts: OutgoingEventsOptions) {
    this.#parts = parts;
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
    log?.message("MessageKind.PUBLISH", "DeliveryStage.SEND", { message: original, sender, receiver: topicId });
    const message = interventions.seesPublish
      ? await this.#intervened(original, topicId, options, messageId)
      : original;
    if (message === DropMessage) return;
    const payload = registry.encode(message, settings.preferredContentType);
    const attributes = { ...metadata, ...settings.tracing?.inject() };
    const event = {
      id: messageId,
      topicType: topicId.type,
      topicSource: topicId.source,
      sender: sender === undefined ? undefined : toWireAgentId(sender),
      payload,
      attributes,
    };
    const bytes = encodeFrame({ kind: "event", event });
    await traced(settings.tracing, "publish", { destination: topicId, link: attributes }, () =>
      sendQueue.publish(bytes, options.signal),
    );
  }

  async #intervened(
    message: unknown,
    topicId: TopicId,
    { sender, signal, metadata }: PublishOptions,
    messageId: string,
  ): Promise<unknown> {
    const { interventions, log, settings } = this.#parts;
    const messageContext = new HandlerContext({ sender, topicId, isRpc: false, messageId, signal, metadata });
    try {
      const result = await interventions.onPublish(message, { messageContext });
      if (result === DropMessage) log?.dropped("MessageKind.PUBLISH", { message, sender, receiver: topicId });
      return result;
    } catch (error) {
      const text = `An intervention failed on an event for ${topicId}, which is dropped: ${errorText(error)}`;
      settings.logger.error(loggableText(text), { error: loggableError(error) });
      return DropMessage;
    } finally {
      messageContext.release();
    }
  }
}

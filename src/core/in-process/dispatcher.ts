import type { Agent } from "../agents/agent.ts";
import type { AgentId } from "../agents/agent-id.ts";
import { IndexedSet } from "../collections/indexed-set.ts";
import type { AgentCatalog } from "../delivery/agent-catalog.ts";
import { assertAnswer } from "../delivery/assert-answer.ts";
import { type HandleMessageOptions, handleMessage } from "../delivery/handle-message.ts";
import type { HandlerContext } from "../delivery/handler-context.ts";
import type { MessageLog } from "../delivery/message-log.ts";
import { errorText } from "../errors.ts";
import type { InterventionChain } from "../intervention.ts";
import type { Logger } from "../logger.ts";
import type { MessageType } from "../serialization/message-type.ts";
import type { SubscriptionTable } from "../topics/subscription-table.ts";
import type { TraceCarrier, Tracing } from "../tracing.ts";
import type { Envelope, PublishEnvelope, ResponseEnvelope, SendEnvelope } from "./envelope.ts";
import type { EnvelopeQueue } from "./envelope-queue.ts";
import { eventContext } from "./event-context.ts";
import { InterventionStage } from "./intervention-stage.ts";
import type { RunningSet } from "./running.ts";
import { type SpanSubject, spanAttributes } from "./span-attributes.ts";

export interface DispatcherOptions extends HandleMessageOptions {
  readonly catalog: AgentCatalog;
  readonly subscriptions: SubscriptionTable;
  readonly interventions: InterventionChain;
  readonly logger: Logger;
  readonly log: MessageLog | undefined;
  readonly tracing: Tracing | undefined;
  /** The JSON of a message, for spans. */
  readonly payloadText: (message: unknown) => string;
  /** The error to refuse a message with that could not travel; see `checksMessages`. Undefined: none is refused. */
  readonly refusalOf: ((message: unknown) => Error | undefined) | undefined;
  /** The same for the answer to a call that promises a type. */
  readonly refusalOfAnswer: ((answer: unknown, promised: MessageType | undefined) => Error | undefined) | undefined;
  /** An event could not be handled by one of its recipients, after it was logged. */
  readonly onEventFailure: (error: unknown) => void;
}

/**
 * What happens to an envelope taken from the queue (protocol.md §5.7, §5.8). The road without interventions, spans and
 * events makes no closure and no promise beyond the handler's own.
 */
export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #running: RunningSet = new IndexedSet("slot");
  readonly #checkpoint: InterventionStage;

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#checkpoint = new InterventionStage(
      { ...options, running: this.#running },
      {
        send: (envelope, queue) => void this.#send(envelope, queue),
        publish: (envelope, queue) => void this.#publish(envelope, queue),
        respond: (envelope) => this.#respond(envelope),
      },
    );
  }

  /** Ends what is being handled, for good: signals abort, and callers get the error. Handlers may still run, unheard. */
  abandon(makeError: () => unknown): void {
    for (const { call, context } of this.#running.all()) {
      const error = makeError();
      context.abort(error);
      call?.reject(error);
    }
  }

  /**
   * Starts one envelope on its way and marks it done in its queue when it has been handled. A promise: an intervention
   * thinks about it first, and others may overtake it meanwhile. Never rejects.
   */
  dispatch(envelope: Envelope, queue: EnvelopeQueue): void | Promise<void> {
    const { interventions } = this.#options;
    switch (envelope.kind) {
      case "send":
        if (interventions.seesSend) return this.#checkpoint.send(envelope, queue);
        void this.#send(envelope, queue);
        return;
      case "publish":
        if (interventions.seesPublish) return this.#checkpoint.publish(envelope, queue);
        void this.#publish(envelope, queue);
        return;
      case "response":
        if (interventions.seesResponse) return this.#checkpoint.response(envelope, queue);
        this.#respond(envelope);
        queue.done();
    }
  }

  async #send(envelope: SendEnvelope, queue: EnvelopeQueue): Promise<void> {
    const { tracing } = this.#options;
    const { recipient: destination, link } = envelope;
    const response =
      tracing === undefined
        ? await this.#handleSend(envelope)
        : await tracing.span("send", { destination, link }, () => this.#handleSend(envelope));
    if (response !== undefined) this.#giveBack(response, queue);
    queue.done();
  }

  /** The answer; undefined when there is none, and then the caller has been told why. Never rejects. */
  async #handleSend(envelope: SendEnvelope): Promise<ResponseEnvelope | undefined> {
    const { message, recipient, context, call } = envelope;
    const { log, catalog, tracing } = this.#options;
    const { sender } = context;
    this.#running.add(envelope);
    try {
      log?.message("MessageKind.DIRECT", "DeliveryStage.DELIVER", { message, sender, receiver: recipient });
      const found = catalog.agentFor(recipient);
      const agent = found instanceof Promise ? await found : found;
      const answer = await this.#handle(agent, recipient, message, context, envelope.link);
      const refusal = this.#options.refusalOfAnswer?.(answer, envelope.promised);
      if (refusal !== undefined) {
        call.reject(refusal);
        return undefined;
      }
      log?.message("MessageKind.RESPOND", "DeliveryStage.SEND", {
        message: answer,
        sender: recipient,
        receiver: sender,
      });
      return { kind: "response", message: answer, to: envelope, link: tracing?.inject() };
    } catch (error) {
      log?.handlerException(message, recipient, error);
      call.reject(error);
      return undefined;
    } finally {
      this.#running.delete(envelope);
      context.release();
    }
  }

  /** Answers go through the queue; one that comes after the runtime has stopped goes to its caller directly. */
  #giveBack(envelope: ResponseEnvelope, queue: EnvelopeQueue): void {
    if (queue.push(envelope)) return;
    if (this.#options.interventions.seesResponse) void this.#checkpoint.response(envelope, undefined);
    else this.#respond(envelope);
  }

  #respond(envelope: ResponseEnvelope): void {
    const { tracing } = this.#options;
    if (tracing === undefined) {
      this.#settle(envelope);
      return;
    }
    const { recipient: sender, context } = envelope.to;
    const attributes = () => this.#attributes({ sender, recipient: context.sender, message: envelope.message });
    tracing.span("ack", { destination: context.sender, link: envelope.link, attributes }, () => this.#settle(envelope));
  }

  #settle(envelope: ResponseEnvelope): void {
    const { message, to } = envelope;
    try {
      const logged = { message, sender: to.recipient, receiver: to.context.sender };
      this.#options.log?.message("MessageKind.RESPOND", "DeliveryStage.DELIVER", logged);
      assertAnswer(message, to.promised, to.recipient);
      to.call.resolve(message);
    } catch (error) {
      to.call.reject(error);
    }
  }

  async #publish(envelope: PublishEnvelope, queue: EnvelopeQueue): Promise<void> {
    const { tracing } = this.#options;
    const { topicId: destination, link } = envelope;
    if (tracing === undefined) await this.#handlePublish(envelope);
    else await tracing.span("publish", { destination, link }, () => this.#handlePublish(envelope));
    queue.done();
  }

  /** Never rejects: each recipient, and each subscription of the user's own kind, fails by itself. */
  async #handlePublish(envelope: PublishEnvelope): Promise<void> {
    const { topicId } = envelope;
    const { logger, onEventFailure } = this.#options;
    const recipients = this.#options.subscriptions.recipients(topicId, (error, { id }) => {
      logger.error(`Subscription ${id} failed on an event for ${topicId}, and is passed over: ${errorText(error)}`, {
        error,
      });
      onEventFailure(error);
    });
    const handled: Promise<void>[] = [];
    for (const recipient of recipients) {
      if (!recipient.equals(envelope.sender)) handled.push(this.#handleEvent(envelope, recipient));
    }
    await Promise.all(handled);
  }

  async #handleEvent(envelope: PublishEnvelope, recipient: AgentId): Promise<void> {
    const { message, sender, link } = envelope;
    const { log, logger, catalog, onEventFailure } = this.#options;
    const context = eventContext(envelope);
    const running = { context, call: undefined, slot: 0 };
    this.#running.add(running);
    let agent: Agent | undefined;
    try {
      log?.message("MessageKind.PUBLISH", "DeliveryStage.DELIVER", { message, sender, receiver: undefined });
      const found = catalog.agentFor(recipient);
      agent = found instanceof Promise ? await found : found;
      await this.#handle(agent, recipient, message, context, link);
    } catch (error) {
      logger.error(`Error processing publish message for ${recipient}: ${errorText(error)}`, { error });
      if (agent !== undefined) log?.handlerException(message, recipient, error);
      onEventFailure(error);
    }
    this.#running.delete(running);
    context.release();
  }

  #handle(
    agent: Agent,
    recipient: AgentId,
    message: unknown,
    context: HandlerContext,
    link: TraceCarrier | undefined,
  ): unknown {
    const { tracing } = this.#options;
    if (tracing === undefined) return handleMessage(agent, message, context, this.#options);
    const attributes = () => this.#attributes({ sender: context.sender, recipient, message, context });
    const body = () => handleMessage(agent, message, context, this.#options);
    return tracing.span("process", { destination: recipient, link, attributes }, body);
  }

  #attributes(subject: SpanSubject): Record<string, string> {
    return spanAttributes(subject, this.#options.catalog, this.#options.payloadText);
  }
}

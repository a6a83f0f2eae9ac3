import type { AgentId } from "../agents/agent-id.ts";
import { IndexedSet } from "../collections/indexed-set.ts";
import type { OwnOutcome } from "../delivery/activations/activation-timers.ts";
import type { AgentCatalog } from "../delivery/activations/agent-catalog.ts";
import { assertAnswer } from "../delivery/assert-answer.ts";
import type { PendingCall } from "../delivery/calls/pending-call.ts";
import type { DeliveryOwner, Dispatcher } from "../delivery/dispatcher.ts";
import type { HandlerContext } from "../delivery/handler-context.ts";
import { loggableError, loggableText } from "../delivery/loggable.ts";
import type { MessageLog } from "../delivery/message-log.ts";
import { errorText, TroupeError } from "../errors.ts";
import type { InterventionChain } from "../intervention.ts";
import type { RuntimeLog } from "../limited-log.ts";
import { isRunMessage } from "../runs/run-messages.ts";
import type { MessageType } from "../serialization/message-type.ts";
import type { SubscriptionTable } from "../topics/subscription-table.ts";
import type { TraceCarrier, Tracing } from "../tracing.ts";
import {
  type Envelope,
  eventContext,
  type PublishEnvelope,
  type ResponseEnvelope,
  type Running,
  type RunningSet,
  type SendEnvelope,
  type TimerEnvelope,
} from "./envelope.ts";
import type { EnvelopeQueue } from "./envelope-queue.ts";
import { InterventionStage } from "./intervention-stage.ts";
import { type SpanSubject, spanAttributes } from "./span-attributes.ts";

export interface EnvelopeRouterOptions {
  readonly dispatcher: Dispatcher;
  readonly catalog: AgentCatalog;
  readonly subscriptions: SubscriptionTable;
  readonly interventions: InterventionChain;
  readonly logger: RuntimeLog;
  readonly log: MessageLog | undefined;
  readonly tracing: Tracing | undefined;
  /** Returns the JSON of a message, for spans. */
  readonly payloadText: (message: unknown) => string;
  /** Returns the error that refuses a message which a worker could not send; see `checksMessages`. Default: no message is refused. */
  readonly refusalOf: ((message: unknown) => Error | undefined) | undefined;
  /** Returns the error that refuses an answer, also when the call promises another type. */
  readonly refusalOfAnswer: ((answer: unknown, promised: MessageType | undefined) => Error | undefined) | undefined;
  /** Called when an event's handler or subscription has failed and the failure is logged. */
  readonly onEventFailure: (error: unknown) => void;
  /** Called when an event found no place among those that wait for a turn at its agent. */
  readonly onEventDropped: () => void;
}

/**
 * Takes each envelope from the queue through the interventions. Then it gives a call or an event to the dispatcher, and an
 * answer to its caller. Without interventions and spans it makes no closure for a call.
 */
// The order is that of protocol.md §5.7 and §5.8.
export class EnvelopeRouter {
  readonly #options: EnvelopeRouterOptions;
  readonly #running: RunningSet = new IndexedSet("slot");
  readonly #stage: InterventionStage;
  /** Whether code of the user sees answers on their way: it must run in the async context of the answer. */
  readonly #seesAnswers: boolean;
  readonly #calls: DeliveryOwner<SendEnvelope>;
  readonly #events: DeliveryOwner<Running>;
  readonly #timers: DeliveryOwner<TimerEnvelope>;

  constructor(options: EnvelopeRouterOptions) {
    const { interventions, log, tracing } = options;
    this.#options = options;
    this.#seesAnswers = interventions.seesResponse || log !== undefined || tracing !== undefined;
    this.#stage = new InterventionStage(
      { ...options, running: this.#running },
      {
        send: (envelope, queue) => this.#send(envelope, queue),
        publish: (envelope, queue) => this.#publish(envelope, queue),
        respond: (envelope) => this.#respond(envelope),
        refuse: ({ to, link }, error) => this.#refuse(to, error, link),
      },
    );
    const spanDetails = (running: Running) => this.#spanDetails(running);
    this.#calls = {
      spanDetails,
      answered: (envelope, answer) => this.#answered(envelope, answer),
      failed: (envelope, error) => this.#failed(envelope, error),
    };
    const timerEnded = (timer: TimerEnvelope, outcome: OwnOutcome) => {
      this.#running.delete(timer);
      timer.onEnd(outcome);
      timer.queue?.done();
    };
    this.#timers = {
      spanDetails,
      answered: (timer, answer) => timerEnded(timer, { answer }),
      failed: (timer, error) => timerEnded(timer, { error }),
    };
    this.#events = {
      spanDetails,
      answered: (event) => this.#running.delete(event),
      failed: (event, error) => {
        this.#running.delete(event);
        options.onEventFailure(error);
      },
      refused: (event, error) => {
        this.#running.delete(event);
        if (error instanceof TroupeError && error.code === "overloaded") options.onEventDropped();
      },
    };
  }

  /** The messages that handlers handle, or about which an intervention decides. */
  get runningCount(): number {
    return this.#running.size;
  }

  /** Returns the messages that handlers handle. */
  running(): readonly Running[] {
    return this.#running.all().filter(({ call }) => call === undefined || !this.#stage.isUndecided(call));
  }

  /** Returns the contexts of the messages that an agent handles, or that wait for it. */
  contextsAt(id: AgentId): readonly HandlerContext[] {
    return this.running().flatMap(({ agentId, context }) => (agentId.equals(id) ? [context] : []));
  }

  /** Returns the calls whose handlers run, and that have no outcome yet. */
  unanswered(): readonly Running[] {
    return this.#running.all().filter(({ call }) => call?.isSettled === false);
  }

  /** Ends all messages in flight: signals abort, and callers get the error. Handlers may still run; their outcomes are ignored. */
  abandon(makeError: () => unknown): void {
    for (const { call, context } of this.#running.all()) {
      const error = makeError();
      context.abort(error);
      call?.reject(error);
    }
  }

  /** Ends the calls from this queue about which an intervention has not decided. Its later decision is ignored. */
  refuseUndecided(queue: EnvelopeQueue, makeError: (notHandled: boolean) => unknown): void {
    this.#stage.refuseUndecided(queue, makeError);
  }

  isUndecided(call: PendingCall<unknown>): boolean {
    return this.#stage.isUndecided(call);
  }

  /**
   * Routes one envelope and marks it done in its queue when it has been handled. Returns a promise while an intervention awaits
   * something; other envelopes may overtake it then. Never rejects.
   */
  route(envelope: Envelope, queue: EnvelopeQueue): void | Promise<void> {
    const { interventions } = this.#options;
    switch (envelope.kind) {
      case "send":
        if (interventions.seesSend && !isRunMessage(envelope.message)) return this.#stage.send(envelope, queue);
        this.#send(envelope, queue);
        return;
      case "kept":
        // Nothing waits for a handler that would begin now: it was withdrawn, or its time is up and the courier tries it again.
        if (envelope.send.context.isWithdrawn) queue.done();
        else this.#send(envelope.send, queue);
        return;
      case "publish":
        if (interventions.seesPublish && envelope.except === undefined) return this.#stage.publish(envelope, queue);
        this.#publish(envelope, queue);
        return;
      case "response":
        if (interventions.seesResponse && !isRunMessage(envelope.to.message)) {
          return this.#stage.response(envelope, queue);
        }
        this.#respond(envelope);
        queue.done();
        return;
      case "timer":
        envelope.queue = queue;
        this.#running.add(envelope);
        void this.#options.dispatcher.deliver(envelope, this.#timers);
    }
  }

  #send(envelope: SendEnvelope, queue: EnvelopeQueue): void {
    const { dispatcher, tracing } = this.#options;
    envelope.queue = queue;
    this.#running.add(envelope);
    if (tracing === undefined) {
      void dispatcher.deliver(envelope, this.#calls);
      return;
    }
    void this.#sendInSpan(envelope, tracing);
  }

  /** Gives the outcome back when the span of the call has ended. The outcome is outside the span, but links to it. */
  async #sendInSpan(envelope: SendEnvelope, tracing: Tracing): Promise<void> {
    let giveBack: (() => void) | undefined;
    const owner: DeliveryOwner<SendEnvelope> = {
      spanDetails: this.#calls.spanDetails,
      answered: (_envelope, answer) => {
        const carrier = tracing.inject();
        giveBack = () => this.#answered(envelope, answer, carrier);
      },
      failed: (_envelope, error) => {
        const carrier = tracing.inject();
        giveBack = () => this.#failed(envelope, error, carrier);
      },
    };
    const { agentId: destination, link } = envelope;
    await tracing.span("send", { destination, link }, () => this.#options.dispatcher.deliver(envelope, owner));
    giveBack?.();
  }

  #answered(envelope: SendEnvelope, answer: unknown, link?: TraceCarrier): void {
    const { agentId, call, context, promised, queue } = envelope;
    this.#running.delete(envelope);
    const refusal = this.#options.refusalOfAnswer?.(answer, promised);
    if (refusal !== undefined) this.#refuse(envelope, refusal, link);
    // The caller of a settled call does not wait for the answer. As over a host, the message log has no record of it.
    else if (!call.isSettled) {
      try {
        this.#options.log?.message("MessageKind.RESPOND", "DeliveryStage.SEND", {
          message: answer,
          sender: agentId,
          receiver: context.sender,
        });
        this.#giveBack({ kind: "response", message: answer, to: envelope, link, hasTurn: true });
      } catch (error) {
        call.reject(error);
      }
    }
    queue?.done();
  }

  #failed(envelope: SendEnvelope, error: unknown, link?: TraceCarrier): void {
    this.#running.delete(envelope);
    this.#refuse(envelope, error, link);
    envelope.queue?.done();
  }

  /** Sends answers through the queue. After the runtime has stopped, an answer goes to its caller directly. */
  #giveBack(envelope: ResponseEnvelope): void {
    const { queue } = envelope.to;
    if (queue !== undefined && (this.#seesAnswers ? queue.push(envelope) : queue.pushUnseen(envelope))) return;
    if (this.#options.interventions.seesResponse && !isRunMessage(envelope.to.message))
      void this.#stage.response(envelope, undefined);
    else this.#respond(envelope);
  }

  #respond(envelope: ResponseEnvelope): void {
    const { message, to } = envelope;
    if (to.call.isSettled) return;
    try {
      if (this.#options.tracing === undefined) this.#check(envelope);
      else this.#acknowledge(envelope, () => this.#check(envelope));
      to.call.resolve(message);
    } catch (error) {
      to.call.reject(error);
    }
  }

  /** Throws `unexpected-answer`. */
  #check({ message, to }: ResponseEnvelope): void {
    const { agentId: sender, context, promised } = to;
    assertAnswer(message, promised, sender);
    this.#options.log?.message("MessageKind.RESPOND", "DeliveryStage.DELIVER", {
      message,
      sender,
      receiver: context.sender,
    });
  }

  /** Ends the call with this error. Its span `ack` fails, as the span of a failed answer over a host does. */
  #refuse(to: SendEnvelope, error: unknown, link?: TraceCarrier): void {
    if (this.#options.tracing === undefined || to.call.isSettled) {
      to.call.reject(error);
      return;
    }
    try {
      this.#acknowledge({ kind: "response", message: undefined, to, link, hasTurn: false }, () => {
        throw error;
      });
    } catch (thrown) {
      to.call.reject(thrown);
    }
  }

  #acknowledge({ message, to, link }: ResponseEnvelope, body: () => void): void {
    const { agentId: sender, context } = to;
    const attributes = () => this.#attributes({ sender, recipient: context.sender, message });
    this.#options.tracing?.span("ack", { destination: context.sender, link, attributes }, body);
  }

  #publish(envelope: PublishEnvelope, queue: EnvelopeQueue): void {
    const { tracing } = this.#options;
    const { topicId: destination, link } = envelope;
    const handled =
      tracing === undefined
        ? this.#deliverAll(envelope)
        : tracing.span("publish", { destination, link }, () => this.#deliverAll(envelope));
    if (handled === undefined) queue.done();
    else void handled.then(() => queue.done());
  }

  /**
   * Delivers an event. Returns a promise of the end of asynchronous handlers. Each recipient, and each subscription of the user's
   * own kind, fails by itself.
   */
  #deliverAll(envelope: PublishEnvelope): Promise<unknown> | undefined {
    const { topicId, sender, except } = envelope;
    const { logger, onEventFailure, subscriptions } = this.#options;
    const recipients = subscriptions.recipients(topicId, (error, { id }) => {
      const text = `Subscription ${id} failed on an event for ${topicId}, and is passed over: ${errorText(error)}`;
      logger.error(loggableText(text), { error: loggableError(error) }, "A subscription failed on an event");
      onEventFailure(error);
    });
    let pending: Promise<void>[] | undefined;
    for (const recipient of recipients) {
      if (recipient.equals(sender) || except?.some((kept) => kept.equals(recipient)) === true) continue;
      const handled = this.#deliverTo(recipient, envelope);
      if (handled === undefined) continue;
      if (pending === undefined) pending = [handled];
      else pending.push(handled);
    }
    return pending?.length === 1 ? pending[0] : pending && Promise.all(pending);
  }

  #deliverTo(agentId: AgentId, envelope: PublishEnvelope): Promise<void> | undefined {
    const { message, link } = envelope;
    const context = eventContext(envelope, agentId, this.#options.catalog.runtime);
    const running = { agentId, message, context, link, call: undefined, slot: 0 };
    this.#running.add(running);
    return this.#options.dispatcher.deliver(running, this.#events);
  }

  #spanDetails({ agentId: destination, message, context, link }: Running) {
    const attributes = () => this.#attributes({ sender: context.sender, recipient: destination, message, context });
    return { destination, link, attributes };
  }

  #attributes(subject: SpanSubject): Record<string, string> {
    return spanAttributes(subject, this.#options.catalog, this.#options.payloadText);
  }
}

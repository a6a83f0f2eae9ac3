import { loggableError, loggableText } from "../delivery/loggable.ts";
import type { MessageLog } from "../delivery/message-log.ts";
import type { PendingCall } from "../delivery/pending-call.ts";
import { errorText, MessageDroppedException, UndeliverableException } from "../errors.ts";
import { DropMessage, type InterventionChain } from "../intervention.ts";
import type { Logger } from "../logger.ts";
import {
  eventContext,
  type PublishEnvelope,
  type ResponseEnvelope,
  type Running,
  type RunningSet,
  type SendEnvelope,
} from "./envelope.ts";
import type { EnvelopeQueue } from "./envelope-queue.ts";

export interface InterventionStageOptions {
  readonly interventions: InterventionChain;
  readonly logger: Logger;
  readonly log: MessageLog | undefined;
  /** Returns the error that refuses a message from an intervention which a worker could not send. */
  readonly refusalOf: ((message: unknown) => Error | undefined) | undefined;
  /** Holds the calls that wait for an intervention, so that the end of the runtime ends them too. */
  readonly running: RunningSet;
}

/** The ways of an envelope after the interventions. */
export interface Onward {
  send(envelope: SendEnvelope, queue: EnvelopeQueue): void;
  publish(envelope: PublishEnvelope, queue: EnvelopeQueue): void;
  respond(envelope: ResponseEnvelope): void;
  /** Ends the call with this error, although the handler has answered. */
  refuse(envelope: ResponseEnvelope, error: unknown): void;
}

/**
 * Shows envelopes to the interventions. An envelope with a synchronous decision continues at once, in its order. While an
 * intervention awaits something, other envelopes overtake, because it may await a call of its own. The methods return a promise
 * for that time.
 */
// protocol.md §5.7
export class InterventionStage {
  readonly #options: InterventionStageOptions;
  readonly #onward: Onward;
  /** Calls whose `onSend` has not decided yet. */
  readonly #undecided = new Map<PendingCall<unknown>, Undecided>();

  constructor(options: InterventionStageOptions, onward: Onward) {
    this.#options = options;
    this.#onward = onward;
  }

  /** Ends the calls from this queue whose `onSend` has not decided yet. Its later decision is ignored. */
  refuseUndecided(queue: EnvelopeQueue, makeError: () => unknown): void {
    for (const [call, { context, from }] of this.#undecided) {
      if (from !== queue) continue;
      const error = makeError();
      context.abort(error);
      call.reject(error);
    }
  }

  /** Whether the `onSend` of the call has not decided yet. */
  isUndecided(call: PendingCall<unknown>): boolean {
    return this.#undecided.has(call);
  }

  send(envelope: SendEnvelope, queue: EnvelopeQueue): void | Promise<void> {
    const { context: messageContext, agentId: recipient, link, call } = envelope;
    const { interventions, log, refusalOf } = this.#options;
    const passed = this.#pass({
      thinking: envelope,
      decide: () => interventions.onSend(envelope.message, { messageContext, recipient }, link),
      goOn: (message) => {
        // A bound has ended the call meanwhile: what the intervention has decided is ignored.
        if (call.isSettled) return queue.done();
        if (queue.isClosed) call.reject(new UndeliverableException(stoppedText, { code: "shutting-down" }));
        else if (message !== DropMessage) {
          const refusal = refusalOf?.(message);
          if (refusal === undefined) return this.#onward.send({ ...envelope, message }, queue);
          call.reject(refusal);
        } else {
          const { sender } = messageContext;
          log?.dropped("MessageKind.DIRECT", { message: envelope.message, sender, receiver: recipient });
          call.reject(new MessageDroppedException());
        }
        queue.done();
      },
      refuse: (error) => {
        call.reject(error);
        queue.done();
      },
    });
    if (passed === undefined) return;
    this.#undecided.set(call, { context: messageContext, from: queue });
    return passed.then(() => {
      this.#undecided.delete(call);
    });
  }

  publish(envelope: PublishEnvelope, queue: EnvelopeQueue): void | Promise<void> {
    const { logger, interventions, log, refusalOf } = this.#options;
    const refuse = (error: unknown): void => {
      const text = `An intervention failed on an event for ${envelope.topicId}, which is dropped: ${errorText(error)}`;
      logger.error(loggableText(text), { error: loggableError(error) });
      queue.done();
    };
    return this.#pass({
      thinking: undefined,
      decide: () =>
        interventions.onPublish(envelope.message, { messageContext: eventContext(envelope) }, envelope.link),
      goOn: (message) => {
        if (message === DropMessage) {
          const { sender, topicId: receiver } = envelope;
          log?.dropped("MessageKind.PUBLISH", { message: envelope.message, sender, receiver });
        } else if (!queue.isClosed && envelope.signal?.aborted !== true) {
          const refusal = message === envelope.message ? undefined : refusalOf?.(message);
          if (refusal !== undefined) return refuse(refusal);
          return this.#onward.publish({ ...envelope, message }, queue);
        }
        queue.done();
      },
      refuse,
    });
  }

  /** `queue` is undefined for the answer of a handler that the runtime did not wait for. */
  response(envelope: ResponseEnvelope, queue: EnvelopeQueue | undefined): void | Promise<void> {
    const { agentId: sender, context } = envelope.to;
    const { interventions, log } = this.#options;
    const recipient = context.sender;
    return this.#pass({
      thinking: envelope.to,
      decide: () => interventions.onResponse(envelope.message, { sender, recipient }),
      goOn: (message) => {
        if (message !== DropMessage) this.#onward.respond({ ...envelope, message });
        else {
          log?.dropped("MessageKind.RESPOND", { message: envelope.message, sender, receiver: recipient });
          this.#onward.refuse(envelope, new MessageDroppedException());
        }
        queue?.done();
      },
      refuse: (error) => {
        this.#onward.refuse(envelope, error);
        queue?.done();
      },
    });
  }

  #pass({ thinking, decide, goOn, refuse }: Passage): void | Promise<void> {
    let decided: unknown;
    try {
      decided = decide();
    } catch (error) {
      refuse(error);
      return;
    }
    if (decided instanceof Promise) return this.#think(decided, { thinking, goOn, refuse });
    goOn(decided);
  }

  /** Never rejects. */
  async #think(
    decided: Promise<unknown>,
    { thinking, goOn, refuse }: Pick<Passage, "thinking" | "goOn" | "refuse">,
  ): Promise<void> {
    const { running } = this.#options;
    if (thinking !== undefined) running.add(thinking);
    const end = await Promise.allSettled([decided]);
    if (thinking !== undefined) running.delete(thinking);
    if (end[0].status === "fulfilled") goOn(end[0].value);
    else refuse(end[0].reason);
  }
}

interface Undecided {
  readonly context: SendEnvelope["context"];
  /** The queue that the call was taken from. */
  readonly from: EnvelopeQueue;
}

interface Passage {
  /** Returns the call that waits for the decision, if the envelope is a call. */
  readonly thinking: Running | undefined;
  readonly decide: () => unknown;
  readonly goOn: (message: unknown) => void;
  readonly refuse: (error: unknown) => void;
}

const stoppedText = "Runtime stopped before the message was delivered or answered.";

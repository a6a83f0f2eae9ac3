import type { PendingCall } from "../delivery/calls/pending-call.ts";
import { loggableError, loggableText } from "../delivery/loggable.ts";
import type { MessageLog } from "../delivery/message-log.ts";
import { errorText, MessageDroppedException, UndeliverableException } from "../errors.ts";
import { followAbort, unfollowAbort } from "../follow-abort.ts";
import { DropMessage, type InterventionChain } from "../intervention.ts";
import type { RuntimeLog } from "../limited-log.ts";
import {
  eventContext,
  type PublishEnvelope,
  type ResponseEnvelope,
  type RunningSet,
  type SendEnvelope,
} from "./envelope.ts";
import type { EnvelopeQueue } from "./envelope-queue.ts";

export interface InterventionStageOptions {
  readonly interventions: InterventionChain;
  readonly logger: RuntimeLog;
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
  /** Calls about which an intervention has not decided yet. */
  readonly #undecided = new Map<PendingCall<unknown>, Undecided>();

  constructor(options: InterventionStageOptions, onward: Onward) {
    this.#options = options;
    this.#onward = onward;
  }

  /**
   * Ends the calls from this queue about which `onSend` or `onResponse` has not decided. The later decision is ignored. `makeError`
   * learns whether it is certain that no handler has seen the call.
   */
  refuseUndecided(queue: EnvelopeQueue, makeError: (notHandled: boolean) => unknown): void {
    for (const [call, { context, from, isBefore }] of this.#undecided) {
      if (from !== queue) continue;
      const error = makeError(isBefore);
      context.abort(error);
      call.reject(error);
    }
  }

  /** Whether the `onSend` of the call has not decided yet. */
  isUndecided(call: PendingCall<unknown>): boolean {
    return this.#undecided.get(call)?.isBefore === true;
  }

  send(envelope: SendEnvelope, queue: EnvelopeQueue): void | Promise<void> {
    const { context: messageContext, agentId: recipient, link, call } = envelope;
    const { interventions, log, refusalOf } = this.#options;
    return this.#pass({
      about: envelope,
      isBefore: true,
      queue,
      decide: () => interventions.onSend(envelope.message, { messageContext, recipient }, link),
      goOn: (message) => {
        if (call.isSettled) return queue.done();
        if (queue.isClosed)
          call.reject(new UndeliverableException(stoppedText, { code: "shutting-down", notHandled: true }));
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
  }

  publish(envelope: PublishEnvelope, queue: EnvelopeQueue): void | Promise<void> {
    const { logger, interventions, log, refusalOf } = this.#options;
    const refuse = (error: unknown): void => {
      const text = `An intervention failed on an event for ${envelope.topicId}, which is dropped: ${errorText(error)}`;
      logger.error(loggableText(text), { error: loggableError(error) }, "An intervention failed on an event");
      queue.done();
    };
    return this.#pass({
      about: undefined,
      signal: envelope.signal,
      queue,
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
      about: envelope.to,
      queue,
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

  #pass(passage: Passage): void | Promise<void> {
    let decided: unknown;
    try {
      decided = passage.decide();
    } catch (error) {
      passage.refuse(error);
      return;
    }
    if (decided instanceof Promise) return this.#think(decided, passage);
    passage.goOn(decided);
  }

  /**
   * Waits for the decision until the call has its outcome or the event's signal aborts. It ignores a decision after that. Never
   * rejects.
   */
  async #think(
    decided: Promise<unknown>,
    { about, isBefore = false, signal, queue, goOn, refuse }: Passage,
  ): Promise<void> {
    if (about !== undefined) {
      this.#options.running.add(about);
      if (queue !== undefined) this.#undecided.set(about.call, { context: about.context, from: queue, isBefore });
    }
    const end = await endOf(decided, about?.call.promise, signal);
    if (about !== undefined) {
      this.#options.running.delete(about);
      this.#undecided.delete(about.call);
    }
    if (end === undefined || about?.call.isSettled === true) queue?.done();
    else if (end.status === "fulfilled") goOn(end.value);
    else refuse(end.reason);
  }
}

/** Resolves to the decision; to undefined when the call has its outcome, or the signal aborts, before that. */
async function endOf(
  decided: Promise<unknown>,
  outcome: Promise<unknown> | undefined,
  signal: AbortSignal | undefined,
): Promise<PromiseSettledResult<unknown> | undefined> {
  let onAbort = () => {};
  const over = new Promise<undefined>((resolve) => {
    onAbort = () => resolve(undefined);
    outcome?.then(onAbort, onAbort);
    followAbort(signal, onAbort);
    if (signal?.aborted === true) onAbort();
  });
  try {
    const end = await Promise.race([Promise.allSettled([decided]), over]);
    return end?.[0];
  } finally {
    unfollowAbort(signal, onAbort);
  }
}

interface Undecided {
  readonly context: SendEnvelope["context"];
  /** The queue of the message that the intervention sees. */
  readonly from: EnvelopeQueue;
  /** Whether it decides before the handler. */
  readonly isBefore: boolean;
}

interface Passage {
  /** The call that waits for the decision; undefined for an event. */
  readonly about: SendEnvelope | undefined;
  /** Whether the decision is about the call itself. Default: it is about the answer. */
  readonly isBefore?: boolean;
  /** The signal of an event. */
  readonly signal?: AbortSignal | undefined;
  /** The queue in which the envelope is done at the end. */
  readonly queue: EnvelopeQueue | undefined;
  readonly decide: () => unknown;
  readonly goOn: (message: unknown) => void;
  readonly refuse: (error: unknown) => void;
}

const stoppedText = "Runtime stopped before the message was delivered or answered.";

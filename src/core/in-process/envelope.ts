import type { AgentRuntime } from "../agent-runtime.ts";
import type { AgentId } from "../agents/agent-id.ts";
import type { IndexedSet } from "../collections/indexed-set.ts";
import type { OwnOutcome } from "../delivery/activations/activation-timers.ts";
import { PendingCall, undecidedText } from "../delivery/calls/pending-call.ts";
import { HandlerContext } from "../delivery/handler-context.ts";
import type { Delivery } from "../delivery/layers.ts";
import type { MessageMetadata } from "../delivery/message-metadata.ts";
import type { CancelledError, TimedOutError } from "../errors.ts";
import { messageTypeText } from "../serialization/message-index.ts";
import type { MessageType } from "../serialization/message-type.ts";
import type { TopicId } from "../topics/topic-id.ts";
import type { TraceCarrier } from "../tracing.ts";
import type { EnvelopeQueue } from "./envelope-queue.ts";

/** A message that a handler handles, or that an intervention decides about. */
export interface Running extends Delivery {
  /** Undefined for events. */
  readonly call: PendingCall<unknown> | undefined;
  /** Its place in the running set. */
  slot: number;
}

/** The messages that are in flight. */
export type RunningSet = IndexedSet<"slot", Running>;

/** A call on its way to an agent. */
export interface SendEnvelope extends Running {
  readonly kind: "send";
  readonly call: PendingCall<unknown>;
  /** The answer's type that the call promises, if any. */
  readonly promised: MessageType | undefined;
  /** The queue from which the call was taken. Its answer goes there too. */
  queue: EnvelopeQueue | undefined;
}

/** A call that the courier makes. Interventions have seen it when it was told. */
export interface KeptEnvelope {
  readonly kind: "kept";
  readonly send: SendEnvelope;
}

/** An event on its way to the agents that are subscribed when it is taken from the queue. */
export interface PublishEnvelope {
  readonly kind: "publish";
  readonly message: unknown;
  readonly topicId: TopicId;
  readonly sender: AgentId | undefined;
  readonly messageId: string;
  readonly signal: AbortSignal | undefined;
  /** Metadata that the runtime has checked. */
  readonly metadata?: MessageMetadata | undefined;
  readonly link: TraceCarrier | undefined;
  /** Handlers of events and told messages that led to it. */
  readonly depth: number;
  /** The agents for which the event is kept: they do not get this copy, and interventions have seen it. Undefined: it is kept for none. */
  readonly except?: readonly AgentId[] | undefined;
}

/** An answer on its way back to its caller. */
export interface ResponseEnvelope {
  readonly kind: "response";
  readonly message: unknown;
  /** The call that it answers. */
  readonly to: SendEnvelope;
  readonly link: TraceCarrier | undefined;
  /** Whether the queue runs a step for it. */
  hasTurn: boolean;
}

/** The message of an agent's timer, or of a run. Interventions do not see it: it does not leave its agent. */
export interface TimerEnvelope extends Running {
  readonly kind: "timer";
  readonly onEnd: (outcome: OwnOutcome) => void;
  readonly onDropped?: (() => void) | undefined;
  /** The queue from which it was taken. */
  queue: EnvelopeQueue | undefined;
}

export type Envelope = SendEnvelope | KeptEnvelope | PublishEnvelope | ResponseEnvelope | TimerEnvelope;

/** Returns the context of one of an event's handlers, or of its interventions, which run for no agent. */
export function eventContext(envelope: PublishEnvelope, agentId?: AgentId, runtime?: AgentRuntime): HandlerContext {
  const { sender, topicId, messageId, signal, metadata, depth } = envelope;
  return new HandlerContext({ sender, topicId, isRpc: false, messageId, agentId, runtime, signal, metadata, depth });
}

/** The part of a runtime that a call asks when its time is up. */
export interface CallPlace {
  /** Says why a message waits if the runtime does not run. */
  readonly whyIdle: string | undefined;
  /** Whether an intervention has not decided yet whether the call is sent. */
  isUndecided(call: PendingCall<unknown>): boolean;
}

/** A call whose handler is in this process. When the caller gives up, the handler's signal aborts. */
export class LocalCall extends PendingCall<unknown> {
  readonly #context: HandlerContext;
  readonly #message: unknown;
  readonly #runtime: CallPlace;

  constructor(context: HandlerContext, message: unknown, runtime: CallPlace) {
    super();
    this.#context = context;
    this.#message = message;
    this.#runtime = runtime;
  }

  protected override get whyUnanswered(): string | undefined {
    return this.#runtime.whyIdle;
  }

  protected override describeTimeout(ms: number | undefined, recipient: { toString(): string } | undefined): string {
    return this.#runtime.isUndecided(this) ? undecidedText(ms, recipient) : super.describeTimeout(ms, recipient);
  }

  protected override get messageType(): string {
    return messageTypeText(this.#message);
  }

  protected override onGivenUp(error: TimedOutError | CancelledError): void {
    this.#context.abort(error);
  }
}

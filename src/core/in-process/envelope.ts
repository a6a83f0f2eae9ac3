import type { AgentId } from "../agents/agent-id.ts";
import type { IndexedSet } from "../collections/indexed-set.ts";
import { HandlerContext } from "../delivery/handler-context.ts";
import type { Delivery } from "../delivery/layers.ts";
import type { PendingCall } from "../delivery/pending-call.ts";
import type { MessageType } from "../serialization/message-type.ts";
import type { TopicId } from "../topics/topic-id.ts";
import type { TraceCarrier } from "../tracing.ts";
import type { EnvelopeQueue } from "./envelope-queue.ts";

/** A message that a handler has, or that an intervention thinks about. */
export interface Running extends Delivery {
  /** Undefined for events. */
  readonly call: PendingCall<unknown> | undefined;
  /** Its place among those that run. */
  slot: number;
}

/** What is being handled right now. */
export type RunningSet = IndexedSet<"slot", Running>;

/** A call on its way to an agent. */
export interface SendEnvelope extends Running {
  readonly kind: "send";
  readonly call: PendingCall<unknown>;
  /** The type the caller was promised, if any. */
  readonly promised: MessageType | undefined;
  /** The queue that it was taken from, for its answer. */
  queue: EnvelopeQueue | undefined;
}

/** An event on its way to the agents that are subscribed when it is taken from the queue. */
export interface PublishEnvelope {
  readonly kind: "publish";
  readonly message: unknown;
  readonly topicId: TopicId;
  readonly sender: AgentId | undefined;
  readonly messageId: string;
  readonly signal: AbortSignal | undefined;
  readonly link: TraceCarrier | undefined;
}

/** An answer on its way back to its caller. */
export interface ResponseEnvelope {
  readonly kind: "response";
  readonly message: unknown;
  /** The call it answers. */
  readonly to: SendEnvelope;
  readonly link: TraceCarrier | undefined;
}

export type Envelope = SendEnvelope | PublishEnvelope | ResponseEnvelope;

/** The context for one of an event's handlers, or for its interventions. */
export function eventContext(envelope: PublishEnvelope): HandlerContext {
  const { sender, topicId, messageId, signal } = envelope;
  return new HandlerContext({ sender, topicId, isRpc: false, messageId, signal });
}

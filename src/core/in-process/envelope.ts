import type { AgentId } from "../agents/agent-id.ts";
import type { MessageMetadata } from "../delivery/message-metadata.ts";
import type { PendingCall } from "../delivery/pending-call.ts";
import type { MessageType } from "../serialization/message-type.ts";
import type { TopicId } from "../topics/topic-id.ts";
import type { TraceCarrier } from "../tracing.ts";
import type { Running } from "./running.ts";

/** A call on its way to an agent. */
export interface SendEnvelope extends Running {
  readonly kind: "send";
  readonly message: unknown;
  readonly recipient: AgentId;
  readonly call: PendingCall<unknown>;
  /** The type the caller was promised, if any. */
  readonly promised: MessageType | undefined;
  readonly link: TraceCarrier | undefined;
}

/** An event on its way to whoever is subscribed when it is taken from the queue. */
export interface PublishEnvelope {
  readonly kind: "publish";
  readonly message: unknown;
  readonly topicId: TopicId;
  readonly sender: AgentId | undefined;
  readonly messageId: string;
  readonly signal: AbortSignal | undefined;
  /** Has been checked. */
  readonly metadata?: MessageMetadata | undefined;
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

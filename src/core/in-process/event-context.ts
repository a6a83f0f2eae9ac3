import { HandlerContext } from "../delivery/handler-context.ts";
import type { PublishEnvelope } from "./envelope.ts";

/** What each of an event's handlers, and its interventions, are told. */
export function eventContext(envelope: PublishEnvelope): HandlerContext {
  const { sender, topicId, messageId, signal } = envelope;
  return new HandlerContext({ sender, topicId, isRpc: false, messageId, signal });
}

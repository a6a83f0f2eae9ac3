import { type Attributes, SpanKind } from "@opentelemetry/api";
import { AgentId, type SpanDetails, type SpanOperation, TopicId } from "../../core/internal.ts";

// protocol.md §5.10
/** Returns the name of a span: `autogen {operation}[ {destination}]`. */
export function spanName(operation: SpanOperation, destination: SpanDetails["destination"]): string {
  const text = destinationText(destination);
  return text === "" ? `autogen ${operation}` : `autogen ${operation} ${text}`;
}

export function spanKind(operation: SpanOperation): SpanKind {
  switch (operation) {
    case "create":
    case "send":
    case "publish":
      return SpanKind.PRODUCER;
    case "intercept":
    case "process":
    case "ack":
      return SpanKind.CONSUMER;
  }
}

/** Returns the attributes of every span. */
export function messagingAttributes(operation: SpanOperation, details: SpanDetails): Attributes {
  const attributes: Attributes = {
    "messaging.operation": operationText(operation),
    "messaging.destination": destinationText(details.destination),
  };
  if (details.messageType !== undefined) attributes["messaging.message.type"] = details.messageType;
  return attributes;
}

function operationText(operation: SpanOperation): string {
  switch (operation) {
    case "create":
    case "process":
      return operation;
    case "send":
    case "publish":
      return "publish";
    case "intercept":
    case "ack":
      return "receive";
  }
}

function destinationText(destination: SpanDetails["destination"]): string {
  if (destination instanceof AgentId) return `${destination.type}.(${destination.key})-A`;
  if (destination instanceof TopicId) return `${destination.type}.(${destination.source})-T`;
  return destination ?? "";
}

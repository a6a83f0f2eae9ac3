import {
  quoted,
  type Subscription,
  TroupeError,
  TypePrefixSubscription,
  TypeSubscription,
} from "../../core/internal.ts";
import type { WirePattern, WireSubscription } from "../../protocol/internal.ts";

/** Encodes a subscription. Throws `invalid-argument` for a kind that the protocol does not have. */
export function toWireSubscription(subscription: Subscription): WireSubscription {
  const wire = { id: subscription.id, pattern: toPattern(subscription) };
  return isDurable(subscription) ? { ...wire, isDurable: true } : wire;
}

function isDurable(subscription: Subscription): boolean {
  const isKnown = subscription instanceof TypeSubscription || subscription instanceof TypePrefixSubscription;
  return isKnown && subscription.durable;
}

function toPattern(subscription: Subscription): WirePattern {
  if (subscription instanceof TypeSubscription) {
    return { kind: "type", topicType: subscription.topicType, agentType: subscription.agentType };
  }
  if (subscription instanceof TypePrefixSubscription) {
    return { kind: "prefix", topicTypePrefix: subscription.topicTypePrefix, agentType: subscription.agentType };
  }
  throw new TroupeError(
    "invalid-argument",
    "Only TypeSubscription and TypePrefixSubscription can be told to a host; this subscription is of another kind.",
  );
}

/** Says in an error which subscription it is. */
export function subscriptionText({ id, pattern }: WireSubscription): string {
  const name = `id ${quoted(id)}`;
  switch (pattern?.kind) {
    case "type":
      return `agent type ${pattern.agentType}, topic type ${quoted(pattern.topicType)}, ${name}`;
    case "prefix":
      return `agent type ${pattern.agentType}, topic types with the prefix ${quoted(pattern.topicTypePrefix)}, ${name}`;
    case undefined:
      return name;
  }
}

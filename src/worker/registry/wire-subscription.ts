import { type Subscription, TroupeError, TypePrefixSubscription, TypeSubscription } from "../../core/internal.ts";
import type { WirePattern, WireSubscription } from "../../protocol/internal.ts";

/** Encodes a subscription. Throws `invalid-argument` for a kind that the protocol does not have. */
export function toWireSubscription(subscription: Subscription): WireSubscription {
  return { id: subscription.id, pattern: toPattern(subscription) };
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

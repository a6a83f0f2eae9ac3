import type { WirePattern } from "../frames/frame.ts";
import type { ChannelSubscription, Subscription } from "../gen/agent_worker_pb.ts";

type PatternFields =
  | {
      readonly case: "typeSubscription";
      readonly value: { readonly topicType: string; readonly agentType: string };
    }
  | {
      readonly case: "typePrefixSubscription";
      readonly value: { readonly topicTypePrefix: string; readonly agentType: string };
    }
  | { readonly case: undefined };

/**
 * Converts a pattern to the oneof that both kinds of subscriptions share: in the channel (generation 1) and in unary
 * calls (2 and 3).
 */
export function toWirePattern(pattern: WirePattern | undefined): PatternFields {
  if (pattern === undefined) return { case: undefined };
  const { agentType } = pattern;
  switch (pattern.kind) {
    case "type":
      return { case: "typeSubscription", value: { topicType: pattern.topicType, agentType } };
    case "prefix":
      return { case: "typePrefixSubscription", value: { topicTypePrefix: pattern.topicTypePrefix, agentType } };
  }
}

export function fromWirePattern(
  oneof: Subscription["subscription"] | ChannelSubscription["subscription"] | undefined,
): WirePattern | undefined {
  switch (oneof?.case) {
    case "typeSubscription":
      return { kind: "type", topicType: oneof.value.topicType, agentType: oneof.value.agentType };
    case "typePrefixSubscription":
      return { kind: "prefix", topicTypePrefix: oneof.value.topicTypePrefix, agentType: oneof.value.agentType };
    case undefined:
      return undefined;
  }
}

/** Whether two patterns have the same kind and the same fields. */
export function isSamePattern(one: WirePattern | undefined, other: WirePattern | undefined): boolean {
  if (one === undefined || other === undefined || one.agentType !== other.agentType) return false;
  if (one.kind === "type") return other.kind === "type" && one.topicType === other.topicType;
  return other.kind === "prefix" && one.topicTypePrefix === other.topicTypePrefix;
}

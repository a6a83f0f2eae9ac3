import type { AgentId } from "../agents/agent-id.ts";
import type { TopicId } from "./topic-id.ts";

/**
 * Which topics reach which agents. Without side effects, so that its results may be remembered (protocol.md §5.2).
 * Known kinds are `TypeSubscription` and `TypePrefixSubscription`; only those travel on the wire.
 */
export interface Subscription {
  /** Unique; a UUID by default. Kept over reconnects. */
  readonly id: string;
  isMatch(topic: TopicId): boolean;
  /** The agent that gets an event on this topic; throws `CantHandleException` when the topic does not match. */
  mapToAgent(topic: TopicId): AgentId;
  /** Same kind and (same id, or same pattern and agent type). */
  equals(other: Subscription): boolean;
}

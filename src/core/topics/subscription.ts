import { AgentId, type AgentType, agentTypeText, assertAgentType } from "../agents/agent-id.ts";
import { randomId } from "../clock.ts";
import { brandClass } from "../copies.ts";
import { CantHandleException, TroupeError } from "../errors.ts";
import { assertNotReserved } from "../reserved-names.ts";
import { assertOptions, optionShape } from "../validation/assert-options.ts";
import { flag, text } from "../validation/option-kinds.ts";
import { quoted, wrongValue } from "../validation/option-values.ts";
import { isValidTopicType, type TopicId, topicTypeRule } from "./topic-id.ts";

// protocol.md §5.2
/**
 * Maps topics to agents. Its methods must have no side effects, because runtimes may keep their results. Only
 * `TypeSubscription` and `TypePrefixSubscription` travel to a host.
 */
export interface Subscription {
  /** Unique; a UUID by default. Stays the same after a reconnect. */
  readonly id: string;
  isMatch(topic: TopicId): boolean;
  /** Returns the agent that gets an event on this topic. Throws `CantHandleException` if the topic does not match. */
  mapToAgent(topic: TopicId): AgentId;
  /** Whether both have the same kind and either the same id, or the same pattern and agent type. */
  equals(other: Subscription): boolean;
}

/** Options of a subscription. All are optional. */
export interface SubscriptionOptions {
  /** Default: a new UUID. */
  readonly id?: string | undefined;
  /**
   * Whether events that are published with `delivery: "durable"` are kept for the agent, and tried again until it has handled them. A host
   * keeps such a subscription until you remove it, also while no worker serves the type. Default: false.
   */
  readonly durable?: boolean | undefined;
}

const shape = optionShape<SubscriptionOptions>({ id: text, durable: flag });

/** Fills in the defaults. Throws `invalid-argument`. */
function settled(given: string | SubscriptionOptions): { readonly id: string; readonly durable: boolean } {
  if (typeof given === "string") return { id: given, durable: false };
  if (typeof given !== "object" || given === null) throw wrongValue("The id of a subscription must be a text", given);
  assertOptions(given, shape, "A subscription");
  return { id: given.id ?? randomId(), durable: given.durable ?? false };
}

// protocol.md §5.2
/**
 * Subscribes an agent type to one topic type. The source of the topic becomes the key of the agent.
 *
 * @example
 * ```ts
 * await runtime.addSubscription(new TypeSubscription("orders", "clerk"));
 * await runtime.publishMessage(order, new TopicId("orders", "lisbon")); // reaches clerk/lisbon
 * ```
 */
export class TypeSubscription implements Subscription {
  readonly id: string;
  /** Whether durable events are kept for the agent; see `SubscriptionOptions`. */
  readonly durable: boolean;
  readonly topicType: string;
  readonly agentType: string;

  /** `options`: an id, or more. Throws `invalid-argument` for a text that no topic has as its type. */
  constructor(topicType: string, agentType: string | AgentType, options: string | SubscriptionOptions = {}) {
    const { id, durable } = settled(options);
    assertTopicText("topicType", topicType);
    if (!isValidTopicType(topicType)) throw noTopicMatches("topicType", topicType);
    assertNotReserved("topic type", topicType);
    this.id = id;
    this.durable = durable;
    this.topicType = topicType;
    this.agentType = agentTypeText(agentType);
  }

  isMatch(topic: TopicId): boolean {
    return topic.type === this.topicType;
  }

  mapToAgent(topic: TopicId): AgentId {
    if (!this.isMatch(topic)) throw new CantHandleException("TopicId does not match the subscription");
    return new AgentId(this.agentType, topic.source);
  }

  equals(other: Subscription): boolean {
    return (
      other instanceof TypeSubscription &&
      (other.id === this.id || (other.topicType === this.topicType && other.agentType === this.agentType))
    );
  }
}
brandClass(TypeSubscription, "TypeSubscription");

// protocol.md §5.2
/** Subscribes an agent type to all topic types with a prefix. Case-sensitive; an empty prefix matches all. */
export class TypePrefixSubscription implements Subscription {
  readonly id: string;
  /** Whether durable events are kept for the agent; see `SubscriptionOptions`. */
  readonly durable: boolean;
  readonly topicTypePrefix: string;
  readonly agentType: string;

  /** `options`: an id, or more. Throws `invalid-argument` for a prefix that no topic type has. */
  constructor(topicTypePrefix: string, agentType: string | AgentType, options: string | SubscriptionOptions = {}) {
    const { id, durable } = settled(options);
    assertTopicText("topicTypePrefix", topicTypePrefix);
    if (topicTypePrefix !== "" && !isValidTopicType(topicTypePrefix)) {
      throw noTopicMatches("topicTypePrefix", topicTypePrefix);
    }
    assertNotReserved("topic type", topicTypePrefix);
    this.id = id;
    this.durable = durable;
    this.topicTypePrefix = topicTypePrefix;
    this.agentType = agentTypeText(agentType);
  }

  isMatch(topic: TopicId): boolean {
    return topic.type.startsWith(this.topicTypePrefix);
  }

  mapToAgent(topic: TopicId): AgentId {
    if (!this.isMatch(topic)) throw new CantHandleException("TopicId does not match the subscription");
    return new AgentId(this.agentType, topic.source);
  }

  equals(other: Subscription): boolean {
    return (
      other instanceof TypePrefixSubscription &&
      (other.id === this.id || (other.topicTypePrefix === this.topicTypePrefix && other.agentType === this.agentType))
    );
  }
}
brandClass(TypePrefixSubscription, "TypePrefixSubscription");

/** Says in an error which subscription it is. */
function subscriptionText(subscription: Subscription): string {
  const id = `id ${quoted(subscription.id)}`;
  if (subscription instanceof TypeSubscription) {
    return `agent type ${subscription.agentType}, topic type ${quoted(subscription.topicType)}, ${id}`;
  }
  if (subscription instanceof TypePrefixSubscription) {
    return `agent type ${subscription.agentType}, topic types with the prefix ${quoted(subscription.topicTypePrefix)}, ${id}`;
  }
  return id;
}

// The first words of these two are Python's: protocol.md §5.2.
/** Makes the error for a subscription that equals one of the runtime, or has its id. */
export function subscriptionExists(subscription: Subscription): TroupeError {
  const text = `Subscription already exists: ${subscriptionText(subscription)}. Add each subscription once, or remove the other first.`;
  return new TroupeError("already-exists", text);
}

/** Makes the error for an id that no subscription of the runtime has. */
export function noSubscription(id: string): TroupeError {
  const text = `Subscription does not exist: id ${quoted(id)}. Give the id of a subscription that was added to this runtime.`;
  return new TroupeError("not-found", text);
}

/**
 * Creates the subscription that every agent type gets at registration by default: topic types with the prefix
 * `{agentType}:`.
 */
export function directMessageSubscription(agentType: string): TypePrefixSubscription {
  assertAgentType(agentType);
  return new TypePrefixSubscription(`${agentType}:`, agentType);
}

function noTopicMatches(name: string, pattern: string): TroupeError {
  const text = `No topic can match the ${name} ${quoted(pattern)} of a subscription. ${topicTypeRule}`;
  return new TroupeError("invalid-argument", text);
}

function assertTopicText(name: string, pattern: unknown): void {
  if (typeof pattern !== "string") throw wrongValue(`The ${name} of a subscription must be a text`, pattern);
}

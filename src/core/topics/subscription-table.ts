import { AgentId, assertAgentType } from "../agents/agent-id.ts";
import { assertSubscription } from "../validation/assert-arguments.ts";
import { PatternIndex, type TopicPattern } from "./pattern-index.ts";
import {
  noSubscription,
  type Subscription,
  subscriptionExists,
  TypePrefixSubscription,
  TypeSubscription,
} from "./subscription.ts";
import type { TopicId } from "./topic-id.ts";

interface Row {
  readonly order: number;
  readonly subscription: Subscription;
  readonly pattern: TopicPattern | undefined;
  /** Set together with `pattern`: the type of the agents that get the events. */
  readonly agentType: string | undefined;
  readonly isDurable: boolean;
}

/** Called for a user-defined subscription that threw; the table skips it. */
export type OnSubscriptionFailure = (error: unknown, subscription: Subscription) => void;

// protocol.md §5.2
/**
 * Subscriptions of one runtime: maps a topic to the agents that get its events. Ids are unique; the order is that of
 * adding.
 */
export class SubscriptionTable {
  readonly #rows = new Map<string, Row>();
  readonly #index = new PatternIndex<Row>();
  /** User-defined subscriptions, which are asked one by one. */
  readonly #others = new Set<Row>();
  #nextOrder = 0;
  #durableCount = 0;

  get size(): number {
    return this.#rows.size;
  }

  has(id: string): boolean {
    return this.#rows.has(id);
  }

  /** Returns all subscriptions in the order they were added. */
  subscriptions(): Subscription[] {
    return [...this.#rows.values()].map((row) => row.subscription);
  }

  withId(id: string): Subscription | undefined {
    return this.#rows.get(id)?.subscription;
  }

  /**
   * Adds a subscription. Throws `already-exists` if an equal one, or one with its id, is present; `invalid-argument`
   * for an invalid agent type.
   */
  add(subscription: Subscription): void {
    const row = this.#rowOf(subscription);
    if (this.#hasEqual(row)) throw subscriptionExists(subscription);
    this.#rows.set(subscription.id, row);
    if (row.isDurable) this.#durableCount += 1;
    if (row.pattern === undefined) this.#others.add(row);
    else this.#index.add(row.pattern, row);
  }

  /** Adds all of them or none; throws as `add` does. With `keepsExisting` it leaves out those that are there already. */
  addAll(subscriptions: readonly Subscription[] = [], { keepsExisting = false } = {}): void {
    const added: Subscription[] = [];
    try {
      for (const subscription of subscriptions) {
        if (keepsExisting && this.hasEqual(subscription)) continue;
        this.add(subscription);
        added.push(subscription);
      }
    } catch (error) {
      for (const { id } of added) this.remove(id);
      throw error;
    }
  }

  /** Whether an equal subscription, or one with its id, is present. Throws as `add` does for an invalid subscription. */
  hasEqual(subscription: Subscription): boolean {
    return this.#hasEqual(this.#rowOf(subscription));
  }

  /** Removes and returns a subscription. Throws `not-found` for an unknown id. */
  remove(id: string): Subscription {
    const row = this.#rows.get(id);
    if (row === undefined) throw noSubscription(id);
    this.#rows.delete(id);
    if (row.isDurable) this.#durableCount -= 1;
    if (row.pattern === undefined) this.#others.delete(row);
    else this.#index.remove(row.pattern, (other) => other === row);
    return row.subscription;
  }

  /** Removes all subscriptions of an agent type, except user-defined ones. */
  removeType(agentType: string): void {
    for (const [id, row] of this.#rows) if (row.agentType === agentType) this.remove(id);
  }

  /** Returns the agents for which a durable event on this topic is kept, each once. */
  durableRecipients(topic: TopicId): readonly AgentId[] {
    if (this.#durableCount === 0) return [];
    const types = this.#index.matches(topic.type).flatMap((row) => (row.isDurable ? [row.agentType] : []));
    return [...new Set(types)].flatMap((type) => (type === undefined ? [] : [new AgentId(type, topic.source)]));
  }

  /** Returns the agents that an event on this topic reaches, each once, in the order of their subscriptions. */
  recipients(topic: TopicId, onFailure: OnSubscriptionFailure = rethrow): AgentId[] {
    const rows = this.#matching(topic, onFailure);
    const [first] = rows;
    if (rows.length === 1 && first?.agentType !== undefined) return [new AgentId(first.agentType, topic.source)];
    const recipients: AgentId[] = [];
    const seen = new Set<string>();
    for (const row of rows) {
      const id = recipientOf(row, topic, onFailure);
      if (id === undefined) continue;
      const text = id.toString();
      if (seen.has(text)) continue;
      seen.add(text);
      recipients.push(id);
    }
    return recipients;
  }

  #rowOf(subscription: Subscription): Row {
    assertSubscription(subscription);
    return { order: this.#nextOrder++, subscription, ...patternAndType(subscription) };
  }

  #matching(topic: TopicId, onFailure: OnSubscriptionFailure): Row[] {
    const rows = this.#index.matches(topic.type);
    if (this.#others.size === 0) return rows;
    const others = [...this.#others].filter(({ subscription }) => matches(subscription, topic, onFailure));
    return others.length === 0 ? rows : [...rows, ...others].sort((a, b) => a.order - b.order);
  }

  #hasEqual(row: Row): boolean {
    const { subscription, pattern } = row;
    if (this.#rows.has(subscription.id)) return true;
    const candidates = pattern === undefined ? this.#rows.values() : [...this.#index.under(pattern), ...this.#others];
    for (const other of candidates) {
      if (other.subscription.equals(subscription) || subscription.equals(other.subscription)) return true;
    }
    return false;
  }
}

function matches(subscription: Subscription, topic: TopicId, onFailure: OnSubscriptionFailure): boolean {
  try {
    return subscription.isMatch(topic);
  } catch (error) {
    onFailure(error, subscription);
    return false;
  }
}

/** An agent type cannot contain `/`, so equal texts mean equal ids. */
function recipientOf(row: Row, topic: TopicId, onFailure: OnSubscriptionFailure): AgentId | undefined {
  if (row.agentType !== undefined) return new AgentId(row.agentType, topic.source);
  try {
    return row.subscription.mapToAgent(topic);
  } catch (error) {
    onFailure(error, row.subscription);
    return undefined;
  }
}

function rethrow(error: unknown): never {
  throw error;
}

function patternAndType(subscription: Subscription): Pick<Row, "pattern" | "agentType" | "isDurable"> {
  if (subscription instanceof TypeSubscription) {
    const { topicType, agentType, durable: isDurable } = subscription;
    assertAgentType(agentType);
    return { pattern: { kind: "type", topicType }, agentType, isDurable };
  }
  if (subscription instanceof TypePrefixSubscription) {
    const { topicTypePrefix: prefix, agentType, durable: isDurable } = subscription;
    assertAgentType(agentType);
    return { pattern: { kind: "prefix", prefix }, agentType, isDurable };
  }
  return { pattern: undefined, agentType: undefined, isDurable: false };
}

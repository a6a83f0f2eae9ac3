import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  AgentId,
  DefaultSubscription,
  type Subscription,
  TopicId,
  TypePrefixSubscription,
  TypeSubscription,
} from "../../../../src/core/index.ts";
import { SubscriptionTable } from "../../../../src/core/internal.ts";

function tableOf(...subscriptions: Subscription[]): SubscriptionTable {
  const table = new SubscriptionTable();
  for (const subscription of subscriptions) table.add(subscription);
  return table;
}

function recipients(table: SubscriptionTable, topic: string): string[] {
  return table.recipients(TopicId.parse(topic)).map(String);
}

/** A kind the table has no index for: topics whose source is a number. */
class NumberedSubscription implements Subscription {
  readonly id = "numbered";

  isMatch(topic: TopicId): boolean {
    return /^\d+$/.test(topic.source);
  }

  mapToAgent(topic: TopicId): AgentId {
    return new AgentId("numbers", topic.source);
  }

  equals(other: Subscription): boolean {
    return other instanceof NumberedSubscription;
  }
}

describe("SubscriptionTable", () => {
  test("agents come in the order of their subscriptions, whatever the kind, each once", () => {
    const table = tableOf(
      new TypePrefixSubscription("ne", "c"),
      new TypeSubscription("news", "a"),
      new TypeSubscription("other", "x"),
      new TypePrefixSubscription("", "b"),
      new TypePrefixSubscription("news", "a"),
      new TypeSubscription("news", "b"),
    );
    expect(recipients(table, "news/k")).toEqual(["c/k", "a/k", "b/k"]);
    expect(recipients(table, "other/k")).toEqual(["x/k", "b/k"]);
  });

  test("all of one agent type can go at once, the others stay", () => {
    const table = tableOf(
      new TypeSubscription("news", "a"),
      new TypePrefixSubscription("ne", "a"),
      new TypeSubscription("news", "b"),
    );
    table.removeType("a");
    expect(recipients(table, "news/k")).toEqual(["b/k"]);
    table.add(new TypeSubscription("news", "a"));
  });

  test("kinds it does not know are asked, in their order", () => {
    const table = tableOf(
      new TypeSubscription("news", "a"),
      new NumberedSubscription(),
      new TypeSubscription("news", "b"),
    );
    expect(recipients(table, "news/7")).toEqual(["a/7", "numbers/7", "b/7"]);
    expect(recipients(table, "news/k")).toEqual(["a/k", "b/k"]);
    expect(() => table.add(new NumberedSubscription())).toThrow("Subscription already exists");
    table.remove("numbered");
    expect(recipients(table, "news/7")).toEqual(["a/7", "b/7"]);
  });

  test("an equal one is refused: same id, or same kind, pattern and agent type", () => {
    const table = tableOf(new TypeSubscription("x", "a", "s1"), new TypePrefixSubscription("x", "a", "s2"));
    const refused = [
      new TypeSubscription("y", "a", "s1"),
      new TypeSubscription("x", "a"),
      new TypePrefixSubscription("x", "a"),
      new DefaultSubscription("x", "a"),
    ];
    for (const subscription of refused) expect(() => table.add(subscription)).toThrow("Subscription already exists");
    expect(table.subscriptions().map(({ id }) => id)).toEqual(["s1", "s2"]);
    expect(table.size).toBe(2);
  });

  test("removing gives it back; an unknown id is an error", () => {
    const subscription = new TypeSubscription("news", "a");
    const table = tableOf(subscription, new TypePrefixSubscription("n", "b", "p"));
    expect(table.remove(subscription.id)).toBe(subscription);
    expect(table.has(subscription.id)).toBe(false);
    table.remove("p");
    expect(recipients(table, "news/k")).toEqual([]);
    expect(() => table.remove(subscription.id)).toThrow("Subscription does not exist");
  });

  test("it finds what asking each subscription would find", () => {
    const pattern = fc.string({ unit: fc.constantFrom("a", "b", ":"), minLength: 1, maxLength: 4 });
    const change = fc.record({
      prefix: fc.boolean(),
      pattern,
      agent: fc.constantFrom("a", "b", "c"),
      drop: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 20 }), pattern, (changes, topicType) => {
        const table = new SubscriptionTable();
        const plain: Subscription[] = [];
        for (const { prefix, pattern, agent, drop } of changes) {
          const made = prefix ? new TypePrefixSubscription(pattern, agent) : new TypeSubscription(pattern, agent);
          const at = plain.findIndex((other) => other.equals(made));
          if (at < 0) {
            table.add(made);
            plain.push(made);
          } else if (drop) table.remove(plain.splice(at, 1)[0]?.id ?? "");
        }
        const topic = new TopicId(topicType, "k");
        const found = plain.filter((one) => one.isMatch(topic)).map((one) => one.mapToAgent(topic).toString());
        expect(table.recipients(topic).map(String)).toEqual([...new Set(found)]);
      }),
    );
  });
});

import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { TopicIndex } from "../../../../../src/host/registry/subscriptions/topic-index.ts";
import type { WirePattern } from "../../../../../src/protocol/index.ts";

function matches(routing: TopicIndex, topicType: string): readonly string[] {
  const types = new Set<string>();
  routing.visit(topicType, (agentType) => types.add(agentType));
  return [...types].sort();
}

/** How often adding subscriptions looks at a text. */
function stepsToAdd(routing: TopicIndex): number {
  const spies = [vi.spyOn(String.prototype, "charCodeAt"), vi.spyOn(String.prototype, "startsWith")];
  for (let count = 0; count < 10; count += 1)
    routing.add({ kind: "prefix", topicTypePrefix: `topic-${count}:`, agentType: "a" });
  const steps = spies.reduce((sum, spy) => sum + spy.mock.calls.length, 0);
  for (const spy of spies) spy.mockRestore();
  return steps;
}

const letters = fc.string({ unit: fc.constantFrom("a", "b", ":", "é", "𝒳"), maxLength: 4 });
const agentType = fc.constantFrom("one", "two", "three");
const pattern: fc.Arbitrary<WirePattern> = fc.oneof(
  fc.record({ kind: fc.constant("type" as const), topicType: letters, agentType }),
  fc.record({ kind: fc.constant("prefix" as const), topicTypePrefix: letters, agentType }),
);

function isMatch(subscription: WirePattern, topicType: string): boolean {
  return subscription.kind === "type"
    ? subscription.topicType === topicType
    : topicType.startsWith(subscription.topicTypePrefix);
}

describe("the index of subscriptions", () => {
  it("finds what a walk over all subscriptions finds, whatever was added and removed before", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(pattern, fc.boolean())), fc.array(letters), (added, topicTypes) => {
        const routing = new TopicIndex();
        for (const [subscription] of added) routing.add(subscription);
        for (const [subscription, isRemoved] of added) if (isRemoved) routing.remove(subscription);
        const left = added.filter(([, isRemoved]) => !isRemoved).map(([subscription]) => subscription);
        for (const topicType of topicTypes) {
          const expected = left.filter((subscription) => isMatch(subscription, topicType));
          expect(matches(routing, topicType)).toEqual([...new Set(expected.map((held) => held.agentType))].sort());
          const found = ["one", "two", "three"].filter((type) => routing.some(topicType, (other) => other === type));
          expect(found.sort()).toEqual(matches(routing, topicType));
        }
      }),
    );
  });

  it("matches prefixes as text: every topic type that begins with it, and no other [§8.40]", () => {
    const routing = new TopicIndex();
    routing.add({ kind: "prefix", topicTypePrefix: "echo:", agentType: "echo" });
    expect(["echo:", "echo:x", "echo:rpc_request=y"].map((type) => matches(routing, type))).toEqual([
      ["echo"],
      ["echo"],
      ["echo"],
    ]);
    expect(["echo", "Echo:x", ""].map((type) => matches(routing, type))).toEqual([[], [], []]);
  });

  it("takes a new subscription in as many steps after many topics as before [§8.39]", () => {
    const unseen = stepsToAdd(new TopicIndex());
    const routing = new TopicIndex();
    for (let count = 0; count < 10_000; count += 1) matches(routing, `topic-${count}`);
    expect(unseen).toBeGreaterThan(0);
    expect(stepsToAdd(routing)).toBe(unseen);
  });
});

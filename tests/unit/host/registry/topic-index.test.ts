import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TopicIndex } from "../../../../src/host/registry/topic-index.ts";
import type { WirePattern } from "../../../../src/protocol/index.ts";

function matches(routing: TopicIndex, topicType: string): readonly string[] {
  const types = new Set<string>();
  routing.visit(topicType, (agentType) => types.add(agentType));
  return [...types].sort();
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

  it("takes a new subscription in a time that does not depend on the topics seen [§8.39]", () => {
    const routing = new TopicIndex();
    for (let count = 0; count < 100_000; count += 1) matches(routing, `topic-${count}`);
    const startMs = performance.now();
    for (let count = 0; count < 1_000; count += 1)
      routing.add({ kind: "prefix", topicTypePrefix: `p${count}:`, agentType: "a" });
    // Re-matching 100 000 topics for each of them would take minutes.
    expect(performance.now() - startMs).toBeLessThan(2_000);
  });
});

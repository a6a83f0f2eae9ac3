import { AgentId, AgentType, DefaultTopicId, isPortableAgentType, TopicId } from "troupe";
import { describe, expect, test } from "vitest";

describe("agent ids", () => {
  test("take types of letters and digits of any script, with _ - and dots [§8.113]", () => {
    for (const type of ["é_1", "a.b-c", "1a", "日本", "٣", "𐐀"]) expect(new AgentId(type, "k").type).toBe(type);
  });

  test("refuse other types, quote them also when empty, and say in words what is allowed [§8.113]", () => {
    for (const type of ["", "a b", "a:b", "a/b", "a\n", "\na", "a\u0301"]) {
      expect(() => new AgentId(type, "k")).toThrow(
        expect.objectContaining({
          code: "invalid-argument",
          message: `Invalid agent type: ${JSON.stringify(type)}. An agent type is one or more letters, digits, or characters of - _ . (no spaces).`,
        }),
      );
    }
  });

  test("are read at the first slash [§8.115]", () => {
    expect(AgentId.parse("a/b/c")).toEqual(new AgentId("a", "b/c"));
    expect(AgentId.parse("a/")).toEqual(new AgentId(new AgentType("a"), ""));
    expect(() => AgentId.parse("a")).toThrow('Invalid agent id: "a"');
    expect(String(AgentId.parse("a/b/c"))).toBe("a/b/c");
  });

  test("are equal by both parts", () => {
    expect(new AgentId("a", "k").equals(new AgentId("a", "k"))).toBe(true);
    expect(new AgentId("a", "k").equals(new AgentId("a", "j"))).toBe(false);
    expect(new AgentId("a", "k").equals(undefined)).toBe(false);
  });

  test("know which types .NET workers can reach", () => {
    expect(["a", "_a1", "A_b"].every(isPortableAgentType)).toBe(true);
    expect(["1a", "a.b", "a-b", "é", ""].some(isPortableAgentType)).toBe(false);
  });
});

describe("topic ids", () => {
  test("take types with colons and equals signs too, and refuse the rest [§8.114]", () => {
    expect(new TopicId("a:b=c.d-e", "").type).toBe("a:b=c.d-e");
    for (const type of ["a/b", "", "a b", "a\n"]) {
      expect(() => new TopicId(type, "s")).toThrow(
        `Invalid topic type: ${JSON.stringify(type)}. A topic type is one or more letters, digits`,
      );
    }
  });

  test("are read at the first slash", () => {
    expect(TopicId.parse("t/s/x").source).toBe("s/x");
    expect(() => TopicId.parse("t")).toThrow('Invalid topic id: "t"');
  });

  test("are equal by value, whatever their class", () => {
    expect(new DefaultTopicId("t", "s").equals(new TopicId("t", "s"))).toBe(true);
    expect(new TopicId("t", "s").equals(new DefaultTopicId("t", "s"))).toBe(true);
  });

  test("a default one takes the key of the agent that publishes it, unless it has a source", () => {
    expect(String(new DefaultTopicId().resolve("key"))).toBe("default/key");
    expect(String(new DefaultTopicId().resolve(undefined))).toBe("default/default");
    expect(String(new DefaultTopicId("t", "s").resolve("key"))).toBe("t/s");
  });
});

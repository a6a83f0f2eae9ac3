import { AgentType, DefaultSubscription, TopicId, TypePrefixSubscription, TypeSubscription } from "troupe";
import { describe, expect, test } from "vitest";

describe("subscriptions", () => {
  test("a type subscription matches exactly its topic type and maps the source to the key", () => {
    const subscription = new TypeSubscription("t", new AgentType("a"));
    expect(subscription.isMatch(new TopicId("t", "s"))).toBe(true);
    expect(subscription.isMatch(new TopicId("t2", "s"))).toBe(false);
    expect(String(subscription.mapToAgent(new TopicId("t", "s/x")))).toBe("a/s/x");
    expect(() => subscription.mapToAgent(new TopicId("u", "s"))).toThrow(
      expect.objectContaining({ name: "CantHandleException", message: "TopicId does not match the subscription" }),
    );
  });

  test("a prefix subscription matches what starts with it, by case; an empty one matches all", () => {
    const echo = new TypePrefixSubscription("echo:", "echo");
    const matched = ["echo:", "echo:x", "echo:rpc_request=y", "echo", "Echo:x"].filter((type) =>
      echo.isMatch(new TopicId(type, "s")),
    );
    expect(matched).toEqual(["echo:", "echo:x", "echo:rpc_request=y"]);
    expect(String(echo.mapToAgent(new TopicId("echo:x", "k")))).toBe("echo/k");
    expect(() => echo.mapToAgent(new TopicId("echo", "k"))).toThrow("TopicId does not match the subscription");
    expect(new TypePrefixSubscription("", "all").isMatch(new TopicId("x", ""))).toBe(true);
  });

  test("equal are those of one kind with the same id, or the same pattern and agent type", () => {
    const one = new TypeSubscription("t", "a", "id1");
    expect(one.equals(new TypeSubscription("t", "a"))).toBe(true);
    expect(one.equals(new TypeSubscription("u", "b", "id1"))).toBe(true);
    expect(one.equals(new TypeSubscription("t", "b"))).toBe(false);
    expect(one.equals(new DefaultSubscription("t", "a"))).toBe(true);
    expect(new DefaultSubscription("t", "a").equals(one)).toBe(true);
    const prefix = new TypePrefixSubscription("t", "a", "id1");
    expect(one.equals(prefix)).toBe(false);
    expect(prefix.equals(one)).toBe(false);
    expect(prefix.equals(new TypePrefixSubscription("t", "a"))).toBe(true);
  });

  test("ids are UUIDs by default", () => {
    expect(new TypeSubscription("t", "a").id).toMatch(/^[0-9a-f-]{36}$/);
    expect(new TypeSubscription("t", "a").id).not.toBe(new TypeSubscription("t", "a").id);
  });

  test("a default subscription needs an agent type outside a subscription factory", () => {
    expect(new DefaultSubscription(undefined, "a")).toMatchObject({ topicType: "default", agentType: "a" });
    expect(() => new DefaultSubscription()).toThrow(expect.objectContaining({ name: "CantHandleException" }));
  });
});

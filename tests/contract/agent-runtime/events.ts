import { describe, expect, test } from "vitest";
import { AgentId, DefaultTopicId, TopicId, TypePrefixSubscription, TypeSubscription } from "../../../src/core/index.ts";
import { Gate } from "../../support/gate.ts";
import { Answer, Ask, Note, Probe, type Seen, type Suite, seeInto } from "./world.ts";

const news = new TopicId("news", "k");

function byAndText(seen: readonly Seen[]): string[] {
  return seen.map(({ by, text }) => `${by} ${text}`);
}

export function describeEvents({ openStage }: Suite): void {
  describe("events", () => {
    test("each agent that is subscribed gets the event once; the topic's source is its key", async () => {
      await using stage = await openStage();
      await stage.listen("news", "reader");
      await stage.listen("news", "archive");
      await stage.caller.publishMessage(Note({ text: "one" }), news);
      await stage.caller.publishMessage(Note({ text: "two" }), new TopicId("news", "other"));
      expect(byAndText(await stage.seen.takeMany(4)).sort()).toEqual([
        "archive/k one",
        "archive/other two",
        "reader/k one",
        "reader/other two",
      ]);
    });

    test("the handler learns the topic, the publisher, the id, and that it is no call", async () => {
      await using stage = await openStage();
      await stage.listen("news", "reader");
      const sender = new AgentId("paper", "p");
      await stage.caller.publishMessage(Note({ text: "x" }), news, { sender, messageId: "m-2" });
      const { context } = await stage.seen.take();
      expect(context.topicId?.toString()).toBe("news/k");
      expect(context.sender?.toString()).toBe("paper/p");
      expect(context.messageId).toBe("m-2");
      expect(context.isRpc).toBe(false);
      expect(context.signal.aborted).toBe(false);
    });

    test("an event of nobody has no sender, and an id of its own", async () => {
      await using stage = await openStage();
      await stage.listen("news", "reader");
      await stage.caller.publishMessage(Note({ text: "1" }), news);
      await stage.caller.publishMessage(Note({ text: "2" }), news);
      const [first, second] = await stage.seen.takeMany(2);
      expect(first?.context.sender).toBeUndefined();
      expect(first?.context.messageId).not.toBe(second?.context.messageId);
    });

    test("the events of one publisher reach an agent in the order they were published [§8.61]", async () => {
      await using stage = await openStage();
      await stage.listen("news", "reader");
      const texts = Array.from({ length: 50 }, (_, index) => `${index}`);
      for (const text of texts) await stage.caller.publishMessage(Note({ text }), news);
      expect((await stage.seen.takeMany(50)).map((seen) => seen.text)).toEqual(texts);
    });

    test("publishing does not wait for handlers, and what these return does not matter", async () => {
      await using stage = await openStage();
      const gate = new Gate();
      await stage.host("reader", async ({ text }, context, probe) => {
        seeInto(stage.seen)({ text }, context, probe);
        if (text === "slow") await gate.opened;
        return Answer({ text });
      });
      await stage.callee.addSubscription(new TypeSubscription("news", "reader"));
      await stage.caller.publishMessage(Note({ text: "slow" }), news);
      await stage.caller.publishMessage(Note({ text: "quick" }), news);
      expect((await stage.seen.takeMany(2)).map((seen) => seen.text)).toEqual(["slow", "quick"]);
      gate.open();
    });

    test("a subscription for a type that no agent can have is refused, and takes no event from others", async () => {
      await using stage = await openStage();
      await stage.listen("news", "reader");
      for (const subscription of [
        new TypeSubscription("news", "bad type!"),
        new TypePrefixSubscription("news", "bad type!"),
      ]) {
        await expect(stage.callee.addSubscription(subscription)).rejects.toMatchObject({
          code: "invalid-argument",
          message: expect.stringContaining('Invalid agent type: "bad type!"'),
        });
      }
      await stage.caller.publishMessage(Note({ text: "x" }), news);
      expect(byAndText([await stage.seen.take()])).toEqual(["reader/k x"]);
    });

    test("an agent does not get its own event, another key of its type does [§8.68]", async () => {
      await using stage = await openStage();
      await stage.listen("news", "reader");
      const sender = new AgentId("reader", "k");
      await stage.caller.publishMessage(Note({ text: "own" }), news, { sender });
      await stage.caller.publishMessage(Note({ text: "own" }), new TopicId("news", "other"), { sender });
      await stage.caller.publishMessage(Note({ text: "fence" }), news);
      expect(byAndText(await stage.seen.takeMany(2)).sort()).toEqual(["reader/k fence", "reader/other own"]);
    });

    test("two subscriptions that reach one agent deliver once [§8.69]", async () => {
      await using stage = await openStage();
      await stage.listen("news", "reader");
      await stage.callee.addSubscription(new TypePrefixSubscription("ne", "reader"));
      await stage.caller.publishMessage(Note({ text: "once" }), news);
      await stage.caller.publishMessage(Note({ text: "fence" }), news);
      expect((await stage.seen.takeMany(2)).map((seen) => seen.text)).toEqual(["once", "fence"]);
    });

    test("a prefix subscription takes all topics that begin with it, and only these", async () => {
      await using stage = await openStage();
      await stage.host("reader", seeInto(stage.seen));
      await stage.callee.addSubscription(new TypePrefixSubscription("reader:", "reader"));
      for (const type of ["reader", "Reader:", "reader:", "reader:x"]) {
        await stage.caller.publishMessage(Note({ text: type }), new TopicId(type, "k"));
      }
      expect((await stage.seen.takeMany(2)).map((seen) => seen.text)).toEqual(["reader:", "reader:x"]);
    });

    test("an event that nobody is subscribed to goes nowhere", async () => {
      await using stage = await openStage();
      await stage.listen("news", "reader");
      await stage.caller.publishMessage(Note({ text: "lost" }), new TopicId("gossip", "k"));
      await stage.caller.publishMessage(Note({ text: "fence" }), news);
      expect((await stage.seen.take()).text).toBe("fence");
    });

    test("a handler that throws keeps no other agent from the event, and is logged [§8.75]", async () => {
      await using stage = await openStage();
      await stage.host("broken", () => {
        throw new Error("broken handler");
      });
      await stage.callee.addSubscription(new TypeSubscription("news", "broken"));
      await stage.listen("news", "reader");
      await stage.caller.publishMessage(Note({ text: "1" }), news);
      await stage.caller.publishMessage(Note({ text: "2" }), news);
      expect((await stage.seen.takeMany(2)).map((seen) => seen.text)).toEqual(["1", "2"]);
      expect(stage.logger.texts("error").join()).toContain("broken handler");
    });

    test("a factory that throws keeps no other agent from the event [§8.74]", async () => {
      await using stage = await openStage();
      await stage.callee.registerFactory("broken", () => {
        throw new Error("broken factory");
      });
      await stage.callee.addSubscription(new TypeSubscription("news", "broken"));
      await stage.listen("news", "reader");
      await stage.caller.publishMessage(Note({ text: "1" }), news);
      expect((await stage.seen.take()).text).toBe("1");
      expect(stage.logger.texts("error").join()).toContain("broken factory");
    });

    test("a default topic takes the key of the agent that publishes, else default [§8.76]", async () => {
      await using stage = await openStage();
      await stage.listen("default", "reader");
      await stage.host("paper", async ({ text }, _context, probe) => {
        await probe.publishMessage(Note({ text }), new DefaultTopicId());
        return Answer({ text });
      });
      await stage.caller.sendMessage(Ask({ text: "by an agent" }), new AgentId("paper", "p7"));
      await stage.caller.publishMessage(Note({ text: "by nobody" }), new DefaultTopicId());
      expect(byAndText(await stage.seen.takeMany(2)).sort()).toEqual([
        "reader/default by nobody",
        "reader/p7 by an agent",
      ]);
    });
  });

  describe("subscriptions", () => {
    test("an equal one is refused, an equal pattern of the other kind is not", async () => {
      await using stage = await openStage();
      await stage.callee.registerFactory("reader", () => new Probe());
      await stage.callee.addSubscription(new TypeSubscription("x", "reader", "s1"));
      await stage.callee.addSubscription(new TypePrefixSubscription("x", "reader"));
      const samePattern = stage.callee.addSubscription(new TypeSubscription("x", "reader"));
      await expect(samePattern).rejects.toMatchObject({ code: "already-exists" });
      const sameId = stage.callee.addSubscription(new TypeSubscription("y", "reader", "s1"));
      await expect(sameId).rejects.toMatchObject({ code: "already-exists" });
    });

    test("one that is removed delivers nothing more, and can be added again", async () => {
      await using stage = await openStage();
      await stage.host("reader", seeInto(stage.seen));
      const subscription = new TypeSubscription("news", "reader");
      await stage.callee.addSubscription(subscription);
      await stage.callee.addSubscription(new TypeSubscription("fence", "reader"));
      await stage.callee.removeSubscription(subscription.id);
      await stage.caller.publishMessage(Note({ text: "unwanted" }), news);
      await stage.caller.publishMessage(Note({ text: "fence" }), new TopicId("fence", "k"));
      expect((await stage.seen.take()).text).toBe("fence");
      await stage.callee.addSubscription(subscription);
      await stage.caller.publishMessage(Note({ text: "wanted" }), news);
      expect((await stage.seen.take()).text).toBe("wanted");
    });

    test("removing an unknown id is an error that says so", async () => {
      await using stage = await openStage();
      await expect(stage.callee.removeSubscription("nothing")).rejects.toMatchObject({
        code: "not-found",
        message: expect.stringContaining('Subscription does not exist: id "nothing".'),
      });
    });
  });
}

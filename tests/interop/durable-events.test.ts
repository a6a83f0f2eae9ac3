import { event, type MessageOf, RoutedAgent, TopicId, TypeSubscription } from "troupe";
import { describe, expect, test } from "vitest";
import { Inbox } from "../support/inbox.ts";
import { generations } from "./support/generations.ts";
import { Laboratory } from "./support/laboratory.ts";
import { MyMessage } from "./support/messages.ts";
import { publishFrom } from "./support/python-peers.ts";

class Clerk extends RoutedAgent {
  readonly seen: Inbox<string>;

  constructor(seen: Inbox<string>) {
    super("a clerk");
    this.seen = seen;
  }

  @event(MyMessage)
  note({ content }: MessageOf<typeof MyMessage>) {
    this.seen.put(`${this.id} ${content}`);
  }
}

for (const generation of generations) {
  describe.skipIf(generation.skipReason)(`durable events with a worker of ${generation.title}`, () => {
    test("what it publishes on a durable topic waits for an agent that is away", async () => {
      await using lab = await Laboratory.start(generation, { durableTopics: ["orders"] });
      const first = await lab.typescript();
      const seen = new Inbox<string>();
      await Clerk.register(first.runtime, "clerk", () => new Clerk(seen));
      await first.runtime.addSubscription(new TypeSubscription("orders", "clerk", { durable: true }));
      await first.runtime.stop();
      const python = await lab.python([]);
      for (const content of ["one", "two"]) {
        await publishFrom(python, "orders/lisbon", { type: "MyMessage", message: { content } });
      }
      const second = await lab.typescript();
      await Clerk.register(second.runtime, "clerk", () => new Clerk(seen));
      expect(await seen.takeMany(2)).toEqual(["clerk/lisbon one", "clerk/lisbon two"]);
    });

    test("it gets a durable event as any event", async () => {
      await using lab = await Laboratory.start(generation);
      const python = await lab.python([
        { kind: "collector", type: "reader", subscriptions: [{ topicType: "orders" }] },
      ]);
      const ours = await lab.typescript();
      const seen = new Inbox<string>();
      await Clerk.register(ours.runtime, "clerk", () => new Clerk(seen));
      await ours.runtime.addSubscription(new TypeSubscription("orders", "clerk", { durable: true }));
      await ours.runtime.publishMessage(MyMessage({ content: "one" }), new TopicId("orders", "lisbon"), {
        delivery: "durable",
      });
      expect(await seen.take()).toBe("clerk/lisbon one");
      expect(await python.next("received", { agent: "reader/lisbon" })).toMatchObject({ message: { content: "one" } });
    });
  });
}

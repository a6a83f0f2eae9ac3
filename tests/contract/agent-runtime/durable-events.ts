import { describe, expect, test } from "vitest";
import {
  AgentId,
  HandlerError,
  type InterventionHandler,
  type PublishOptions,
  TopicId,
  TypePrefixSubscription,
  TypeSubscription,
} from "../../../src/core/index.ts";
import { MemoryStateStore } from "../../../src/storage/index.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import { Gate } from "../../support/gate.ts";
import { Keeper, Kept } from "./keepers.ts";
import { passTime } from "./told.ts";
import { Answer, Ask, type Handle, Note, Order, type Stage, type Suite, seeInto } from "./world.ts";

const lisbon = new TopicId("orders", "lisbon");

function publish(stage: Stage, text: string, options: PublishOptions = {}): Promise<void> {
  return stage.caller.publishMessage(Note({ text }), lisbon, { delivery: "durable", ...options });
}

/** Registers a type with a durable subscription to the topic type `orders`. */
async function keep(stage: Stage, type: string, handle: Handle = seeInto(stage.seen)): Promise<void> {
  await stage.host(type, handle);
  await stage.callee.addSubscription(new TypeSubscription("orders", type, { durable: true }));
}

/** Lets the event loop turn until a test holds. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise<void>((resolve) => setImmediate(resolve));
}

export function describeDurableEvents({ openStage, unless }: Suite): void {
  describe("durable events", () => {
    unless("keeps-nothing", "come as events, with topic, sender and metadata", async () => {
      await using stage = await openStage();
      await keep(stage, "clerk");
      const sender = new AgentId("customer", "bea");
      await publish(stage, "one", { sender, metadata: { tenant: "acme" } });
      const { by, text, context } = await stage.seen.take();
      expect([by, text, context.isRpc, context.topicId?.toString()]).toEqual([
        "clerk/lisbon",
        "one",
        false,
        "orders/lisbon",
      ]);
      expect(context.sender?.toString()).toBe("customer/bea");
      expect(context.metadata).toEqual({ tenant: "acme" });
      expect(context.reminder).toBeUndefined();
    });

    unless("keeps-nothing", "come in the order in which they were published, one after the other", async () => {
      await using stage = await openStage();
      const lines: string[] = [];
      await keep(stage, "clerk", async ({ text }) => {
        lines.push(`begin ${text}`);
        await new Promise<void>((resolve) => setImmediate(resolve));
        lines.push(`end ${text}`);
        stage.texts.put(text);
      });
      await Promise.all(["1", "2", "3"].map((text) => publish(stage, text)));
      await stage.texts.takeMany(3);
      expect(lines).toEqual(["1", "2", "3"].flatMap((text) => [`begin ${text}`, `end ${text}`]));
    });

    unless("keeps-nothing", "come again when a handler fails, and those behind wait; other agents do not", async () => {
      const clock = new ManualClock();
      await using stage = await openStage({ callee: { clock } });
      const tried: string[] = [];
      await keep(stage, "clerk", ({ text }) => {
        tried.push(text);
        if (tried.length <= 3) throw new Error("not yet");
        stage.texts.put(text);
      });
      await keep(stage, "auditor");
      await publish(stage, "1");
      await publish(stage, "2");
      expect((await stage.seen.takeMany(2)).map(({ text }) => text)).toEqual(["1", "2"]);
      expect(await passTime(clock, stage.texts.takeMany(2), 100)).toEqual(["1", "2"]);
      expect(tried).toEqual(["1", "1", "1", "1", "2"]);
    });

    unless("keeps-nothing", "are dead letters when their handler says that its error is final", async () => {
      const stateStore = new MemoryStateStore();
      await using stage = await openStage({ stateStore });
      await keep(stage, "clerk", ({ text }) => {
        if (text === "good") return stage.texts.put(text);
        throw new HandlerError("There is no such order.", { isFinal: true });
      });
      await publish(stage, "bad");
      await publish(stage, "good");
      await stage.texts.take();
      const { letters } = await stateStore.log.deadLetters({ limit: 10 });
      expect(letters.map(({ kind, mailbox, why: { code } }) => [kind, mailbox, code])).toEqual([
        ["event", { type: "clerk", key: "lisbon" }, "handler-failed"],
      ]);
    });

    unless("keeps-nothing", "come once to each agent: kept for some, and as any event to the others", async () => {
      await using stage = await openStage();
      await keep(stage, "clerk");
      await stage.callee.addSubscription(new TypePrefixSubscription("ord", "clerk"));
      await stage.host("auditor", seeInto(stage.seen));
      await stage.callee.addSubscription(new TypePrefixSubscription("orders", "auditor", { durable: true }));
      await stage.listen("orders", "visitor");
      for (const text of ["1", "2"]) await publish(stage, text);
      const seen = (await stage.seen.takeMany(6)).map(({ by, text }) => `${by} ${text}`);
      expect(seen.sort()).toEqual(
        ["1", "2"].flatMap((text) => ["auditor", "clerk", "visitor"].map((type) => `${type}/lisbon ${text}`)).sort(),
      );
      await stage.caller.publishMessage(Note({ text: "last" }), lisbon);
      expect((await stage.seen.takeMany(3)).map(({ text }) => text)).toEqual(["last", "last", "last"]);
    });

    unless("keeps-nothing", "without a durable subscription are events as any other", async () => {
      await using stage = await openStage();
      await stage.listen("orders", "visitor");
      await publish(stage, "one");
      expect((await stage.seen.take()).text).toBe("one");
    });

    unless("keeps-nothing", "do not come back to the agent that publishes them", async () => {
      await using stage = await openStage();
      await keep(stage, "clerk");
      await keep(stage, "auditor");
      await publish(stage, "one", { sender: new AgentId("clerk", "lisbon") });
      await publish(stage, "two", { sender: new AgentId("clerk", "oslo") });
      const seen = (await stage.seen.takeMany(3)).map(({ by, text }) => `${by} ${text}`);
      expect(seen.sort()).toEqual(["auditor/lisbon one", "auditor/lisbon two", "clerk/lisbon two"]);
    });

    unless("keeps-nothing", "of the same idempotency key are kept once", async () => {
      await using stage = await openStage();
      await keep(stage, "clerk");
      await publish(stage, "first", { idempotencyKey: "order 7" });
      await publish(stage, "second", { idempotencyKey: "order 7" });
      await publish(stage, "third", { idempotencyKey: "order 8" });
      expect((await stage.seen.takeMany(2)).map(({ text }) => text)).toEqual(["first", "third"]);
    });

    unless("keeps-nothing", "are kept no more when their subscription was removed", async () => {
      await using stage = await openStage();
      await stage.host("clerk", seeInto(stage.seen));
      const subscription = new TypeSubscription("orders", "clerk", { durable: true });
      await stage.callee.addSubscription(subscription);
      await publish(stage, "one");
      expect((await stage.seen.take()).text).toBe("one");
      await stage.callee.removeSubscription(subscription.id);
      await stage.listen("orders", "visitor");
      await publish(stage, "two");
      expect(await stage.seen.take()).toMatchObject({ by: "visitor/lisbon", text: "two" });
    });

    unless("keeps-nothing", "for a full mailbox are refused as mailbox-full, and no agent gets them", async () => {
      const stateStore = new MemoryStateStore({ maxMailboxMessages: 2 });
      await using stage = await openStage({ stateStore });
      const gate = new Gate();
      await keep(stage, "clerk", () => gate.opened);
      await publish(stage, "1");
      await publish(stage, "2");
      await keep(stage, "auditor");
      await stage.listen("orders", "visitor");
      await expect(publish(stage, "3")).rejects.toMatchObject({ code: "mailbox-full" });
      gate.open();
      await until(() => true);
      expect((await stateStore.stats()).mail).toBeLessThanOrEqual(2);
      await stage.caller.publishMessage(Note({ text: "last" }), lisbon);
      expect((await stage.seen.takeMany(2)).map(({ text }) => text)).toEqual(["last", "last"]);
    });

    unless("keeps-nothing", "of a turn are kept with its state, or not at all if it fails", async () => {
      await using stage = await openStage({ stateStore: new MemoryStateStore() });
      await keep(stage, "clerk");
      await stage.listen("orders", "visitor");
      let fails = true;
      const body = async (text: string, agent: Keeper) => {
        agent.state.total += 1;
        await agent.publishMessage(Note({ text }), lisbon, { delivery: "durable" });
        if (fails) throw new Error("no");
        return agent.state.total;
      };
      await Keeper.register(stage.callee, "keeper", () => new Keeper(body));
      const keeper = new AgentId("keeper", "ada");
      await expect(stage.caller.sendMessage(Ask({ text: "failed" }), keeper)).rejects.toThrow("no");
      fails = false;
      expect(await stage.caller.sendMessage(Ask({ text: "written" }), keeper)).toEqual(Answer({ text: "1" }));
      const seen = (await stage.seen.takeMany(2)).map(({ by, text, context }) => `${by} ${text} ${context.sender}`);
      expect(seen.sort()).toEqual(["clerk/lisbon written keeper/ada", "visitor/lisbon written keeper/ada"]);
    });

    unless("keeps-nothing", "come in the order of the turns that publish them, as told messages do", async () => {
      await using stage = await openStage({ stateStore: new MemoryStateStore() });
      await keep(stage, "clerk");
      const body = async (text: string, agent: Keeper) => {
        for (const number of ["1", "2"]) {
          await agent.publishMessage(Note({ text: `${text} event ${number}` }), lisbon, { delivery: "durable" });
          await agent.tell(Order({ text: `${text} told ${number}` }), new AgentId("clerk", "lisbon"));
        }
        return text;
      };
      await Keeper.register(stage.callee, "keeper", () => new Keeper(body));
      const keeper = new AgentId("keeper", "ada");
      for (const text of ["a", "b"]) await stage.caller.sendMessage(Ask({ text }), keeper);
      const seen = (await stage.seen.takeMany(8)).map(({ text }) => text);
      // Nothing of a turn comes before anything of an earlier one.
      expect(seen.map((text) => text[0])).toEqual([..."aaaabbbb"]);
      // Each kind of one turn has its order. A host keeps what is told first, a runtime in process keeps the order of the handler.
      for (const kind of ["event", "told"]) {
        const ofKind = seen.filter((text) => text.includes(kind));
        expect(ofKind).toEqual(["a", "b"].flatMap((turn) => [`${turn} ${kind} 1`, `${turn} ${kind} 2`]));
      }
    });

    unless("keeps-nothing", "of the same idempotency key that one turn publishes are kept once", async () => {
      await using stage = await openStage({ stateStore: new MemoryStateStore() });
      await keep(stage, "clerk");
      const body = async (text: string, agent: Keeper) => {
        for (const idempotencyKey of ["a", "a", "b"]) {
          await agent.publishMessage(Note({ text: idempotencyKey }), lisbon, { delivery: "durable", idempotencyKey });
        }
        return text;
      };
      await Keeper.register(stage.callee, "keeper", () => new Keeper(body));
      await stage.caller.sendMessage(Ask({ text: "go" }), new AgentId("keeper", "ada"));
      await publish(stage, "last");
      const seen = (await stage.seen.takeMany(3)).map(({ text }) => text);
      expect(seen).toEqual(["a", "b", "last"]);
    });

    unless("keeps-nothing", "of a turn for a full mailbox fail the turn, which changes nothing", async () => {
      const stateStore = new MemoryStateStore({ maxMailboxMessages: 1 });
      await using stage = await openStage({ stateStore });
      const gate = new Gate();
      await keep(stage, "clerk", () => gate.opened);
      await publish(stage, "1");
      const body = async (text: string, agent: Keeper) => {
        agent.state.total += 1;
        await agent.publishMessage(Note({ text }), lisbon, { delivery: "durable" });
        return agent.state.total;
      };
      await Keeper.register(stage.callee, "keeper", () => new Keeper(body));
      const asked = stage.caller.sendMessage(Ask({ text: "2" }), new AgentId("keeper", "ada"));
      await expect(asked).rejects.toMatchObject({ code: "mailbox-full" });
      expect(await stateStore.load({ type: "keeper", key: "ada" })).toBeUndefined();
      gate.open();
    });

    unless("keeps-nothing", "are handled once by a persistent agent, whose state they change", async () => {
      const clock = new ManualClock();
      await using stage = await openStage({ callee: { clock }, stateStore: new MemoryStateStore({ clock }) });
      let tries = 0;
      const body = (text: string, agent: Keeper) => {
        agent.state.log.push(text);
        tries += 1;
        if (tries === 1) throw new Error("again");
        stage.texts.put(agent.state.log.join());
      };
      await Keeper.register(stage.callee, "keeper", () => new Keeper(body));
      await stage.callee.addSubscription(new TypeSubscription("orders", "keeper", { durable: true }));
      await publish(stage, "1");
      await publish(stage, "2");
      expect(await passTime(clock, stage.texts.takeMany(2), 100)).toEqual(["1", "1,2"]);
      expect(Kept.initial).toEqual({ total: 0, log: [] });
    });

    unless("keeps-nothing", "are seen once by an intervention, which may change or drop them", async () => {
      const texts: string[] = [];
      const intervention: InterventionHandler = {
        onPublish: async (message) => {
          const { text } = message as { readonly text: string };
          texts.push(text);
          return Note({ text: `${text}, changed` });
        },
      };
      await using stage = await openStage({ caller: { interventionHandlers: [intervention] } });
      await keep(stage, "clerk");
      await stage.listen("orders", "visitor");
      await publish(stage, "one");
      const seen = (await stage.seen.takeMany(2)).map(({ by, text }) => `${by} ${text}`);
      expect(seen.sort()).toEqual(["clerk/lisbon one, changed", "visitor/lisbon one, changed"]);
      expect(texts).toEqual(["one"]);
    });

    unless("keeps-nothing", "that can't be sent are refused", async () => {
      await using stage = await openStage();
      await keep(stage, "clerk");
      const plain = { text: "plain" } as never;
      await expect(stage.caller.publishMessage(plain, lisbon, { delivery: "durable" })).rejects.toMatchObject({
        code: "invalid-message",
      });
    });

    test("an event that is not durable has no idempotencyKey", async () => {
      await using stage = await openStage();
      const published = stage.caller.publishMessage(Note({ text: "x" }), lisbon, { idempotencyKey: "7" });
      await expect(published).rejects.toMatchObject({ code: "invalid-argument" });
      const odd = stage.caller.publishMessage(Note({ text: "x" }), lisbon, { delivery: "fast" as never });
      await expect(odd).rejects.toMatchObject({ code: "invalid-argument" });
    });
  });
}

import { describe, expect, test } from "vitest";
import {
  AgentId,
  CantHandleException,
  HandlerError,
  type InterventionHandler,
  NotAccessibleError,
} from "../../../src/core/index.ts";
import { MemoryStateStore } from "../../../src/storage/index.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import { Gate } from "../../support/gate.ts";
import { Keeper } from "./keepers.ts";
import { Answer, Ask, Order, type Stage, type Suite, seeInto } from "./world.ts";

const clerk = new AgentId("clerk", "ada");
const dayMs = 24 * 60 * 60 * 1_000;

function tell(stage: Stage, text: string, options = {}): Promise<void> {
  return stage.caller.tell(Order({ text }), clerk, options);
}

/** Moves the clock on in small steps, until the promise is settled. `rounds`: of the event loop for each step, for messages on their way. */
export async function passTime<T>(clock: ManualClock, pending: Promise<T>, stepMs = 1_000, rounds = 1): Promise<T> {
  let isSettled = false;
  const settled = pending.finally(() => {
    isSettled = true;
  });
  settled.catch(() => undefined);
  while (!isSettled) {
    clock.advance(stepMs);
    for (let round = 0; round < rounds; round += 1) await new Promise<void>((resolve) => setImmediate(resolve));
  }
  return settled;
}

export function describeTold({ openStage, unless }: Suite): void {
  describe("told messages", () => {
    unless("keeps-nothing", "a told message comes as a call, from its sender and with its metadata", async () => {
      await using stage = await openStage();
      await stage.host("clerk", seeInto(stage.seen));
      const sender = new AgentId("customer", "bea");
      await tell(stage, "one", { sender, metadata: { tenant: "acme" } });
      const { by, text, context } = await stage.seen.take();
      expect([by, text, context.isRpc, context.topicId]).toEqual(["clerk/ada", "one", true, undefined]);
      expect(context.sender?.toString()).toBe("customer/bea");
      expect(context.metadata).toEqual({ tenant: "acme" });
      expect(context.reminder).toBeUndefined();
    });

    unless("keeps-nothing", "a runtime tells without a sender", async () => {
      await using stage = await openStage();
      await stage.host("clerk", seeInto(stage.seen));
      await tell(stage, "one", { idempotencyKey: "order 7" });
      const { text, context } = await stage.seen.take();
      expect([text, context.sender, context.metadata]).toEqual(["one", undefined, {}]);
    });

    unless("keeps-nothing", "an agent tells in its own name", async () => {
      await using stage = await openStage();
      await stage.host("clerk", seeInto(stage.seen));
      await stage.host("customer", async ({ text }, _context, probe) => {
        await probe.tell(Order({ text: `${text}, told` }), clerk);
        return Answer({ text });
      });
      await stage.caller.sendMessage(Ask({ text: "one" }), new AgentId("customer", "bea"));
      const { text, context } = await stage.seen.take();
      expect([text, context.sender?.toString()]).toEqual(["one, told", "customer/bea"]);
    });

    unless(
      "keeps-nothing",
      "messages for one agent are handled in the order in which they were told, one after the other",
      async () => {
        await using stage = await openStage();
        const lines: string[] = [];
        await stage.host("clerk", async ({ text }) => {
          lines.push(`begin ${text}`);
          await new Promise<void>((resolve) => setImmediate(resolve));
          lines.push(`end ${text}`);
          stage.texts.put(text);
        });
        for (const text of ["1", "2", "3"]) await tell(stage, text);
        await stage.texts.takeMany(3);
        expect(lines).toEqual(["1", "2", "3"].flatMap((text) => [`begin ${text}`, `end ${text}`]));
      },
    );

    unless("keeps-nothing", "a message that was told before its agent type is registered waits for it", async () => {
      const clock = new ManualClock();
      await using stage = await openStage({ callee: { clock } });
      await tell(stage, "early");
      const isWaiting = () => stage.logger.texts("warn").some((line) => line.includes("wait for clerk/ada"));
      while (!isWaiting()) await new Promise<void>((resolve) => setImmediate(resolve));
      await stage.host("clerk", seeInto(stage.seen));
      expect((await passTime(clock, stage.seen.take(), 100)).text).toBe("early");
    });

    unless(
      "keeps-nothing",
      "a message whose handler fails is tried again, and those behind it wait for it",
      async () => {
        const clock = new ManualClock();
        await using stage = await openStage({ callee: { clock } });
        const tried: string[] = [];
        await stage.host("clerk", ({ text }) => {
          tried.push(text);
          if (tried.length <= 3) throw new Error("not yet");
          stage.texts.put(text);
        });
        await tell(stage, "1");
        await tell(stage, "2");
        expect(await passTime(clock, stage.texts.takeMany(2), 100)).toEqual(["1", "2"]);
        expect(tried).toEqual(["1", "1", "1", "1", "2"]);
      },
    );

    unless(
      "keeps-nothing",
      "a message whose handler fails 5 times is a dead letter, and the next one comes",
      async () => {
        const clock = new ManualClock();
        const stateStore = new MemoryStateStore({ clock });
        await using stage = await openStage({ callee: { clock }, stateStore });
        let tries = 0;
        await stage.host("clerk", ({ text }) => {
          if (text === "good") return stage.texts.put(text);
          tries += 1;
          throw new Error("it is broken");
        });
        await tell(stage, "bad");
        await tell(stage, "good");
        await passTime(clock, stage.texts.take());
        expect(tries).toBe(5);
        const { letters } = await stateStore.log.deadLetters({ limit: 10 });
        expect(letters.map(({ mailbox, why }) => [mailbox, why])).toEqual([
          [
            { type: "clerk", key: "ada" },
            { code: "handler-failed", text: "it is broken", attempts: 5 },
          ],
        ]);
      },
    );

    unless("keeps-nothing", "a message that its agent can't handle is a dead letter at once", async () => {
      const clock = new ManualClock();
      const stateStore = new MemoryStateStore({ clock });
      await using stage = await openStage({ callee: { clock }, stateStore });
      await stage.host("clerk", ({ text }) => {
        if (text === "good") return stage.texts.put(text);
        throw new CantHandleException("not mine");
      });
      await tell(stage, "bad");
      await tell(stage, "good");
      await stage.texts.take();
      const { letters } = await stateStore.log.deadLetters({ limit: 10 });
      expect(letters.map(({ why }) => why)).toEqual([{ code: "cant-handle", text: "not mine", attempts: 1 }]);
    });

    unless(
      "keeps-nothing",
      "a message whose handler says that its error is final is a dead letter at once",
      async () => {
        const clock = new ManualClock();
        const stateStore = new MemoryStateStore({ clock });
        await using stage = await openStage({ callee: { clock }, stateStore });
        await stage.host("clerk", ({ text }) => {
          if (text === "good") return stage.texts.put(text);
          throw new HandlerError("There is no such order.", { isFinal: true });
        });
        await tell(stage, "bad");
        await tell(stage, "good");
        await stage.texts.take();
        const { letters } = await stateStore.log.deadLetters({ limit: 10 });
        expect(letters.map(({ why: { code, attempts } }) => [code, attempts])).toEqual([["handler-failed", 1]]);
      },
    );

    unless(
      "keeps-nothing",
      "a message for an agent type that nobody registers is a dead letter after 7 days",
      async () => {
        const clock = new ManualClock();
        const stateStore = new MemoryStateStore({ clock });
        await using stage = await openStage({ callee: { clock }, stateStore });
        await tell(stage, "lost");
        const untilBuried = async () => {
          for (;;) {
            const { letters } = await stateStore.log.deadLetters({ limit: 10 });
            if (letters[0] !== undefined) return letters[0];
            await new Promise<void>((resolve) => setImmediate(resolve));
          }
        };
        const letter = await passTime(clock, untilBuried(), 10 * 60_000);
        expect(letter.why).toMatchObject({ code: "expired", attempts: 0 });
        expect(letter.diedAtMs).toBeGreaterThanOrEqual(7 * dayMs);
      },
    );

    unless("keeps-nothing", "a second message with the same idempotency key is not kept", async () => {
      await using stage = await openStage();
      await stage.host("clerk", seeInto(stage.seen));
      await tell(stage, "first", { idempotencyKey: "order 7" });
      await tell(stage, "second", { idempotencyKey: "order 7" });
      await tell(stage, "third", { idempotencyKey: "order 8" });
      expect((await stage.seen.takeMany(2)).map(({ text }) => text)).toEqual(["first", "third"]);
    });

    unless(
      "keeps-nothing",
      "messages with one idempotency key that turns tell are kept once, also by one turn",
      async () => {
        await using stage = await openStage();
        await stage.host("clerk", seeInto(stage.seen));
        const body = async (text: string, agent: Keeper) => {
          const about = (what: string) =>
            agent.tell(Order({ text: `${text} ${what}` }), clerk, { idempotencyKey: what });
          for (const what of ["order 7", "order 7", text]) await about(what);
          agent.state.total += 1;
          return agent.state.total;
        };
        await Keeper.register(stage.callee, "keeper", () => new Keeper(body));
        for (const text of ["one", "two"]) await stage.caller.sendMessage(Ask({ text }), new AgentId("keeper", "ada"));
        await tell(stage, "late", { idempotencyKey: "order 7" });
        await tell(stage, "last");
        const seen = (await stage.seen.takeMany(4)).map(({ text }) => text);
        expect(seen).toEqual(["one order 7", "one one", "two two", "last"]);
      },
    );

    unless("keeps-nothing", "an intervention sees a told message once, may change it, and may drop it", async () => {
      const intervention: InterventionHandler = {
        onSend: async (message) => {
          const { text } = message as { readonly text: string };
          stageTexts.push(text);
          return Order({ text: `${text}, changed` });
        },
      };
      const stageTexts: string[] = [];
      const clock = new ManualClock();
      await using stage = await openStage({ caller: { interventionHandlers: [intervention] }, callee: { clock } });
      let tries = 0;
      await stage.host("clerk", ({ text }) => {
        tries += 1;
        if (tries === 1) throw new Error("again");
        stage.texts.put(text);
      });
      await tell(stage, "one");
      expect(await passTime(clock, stage.texts.take(), 100)).toBe("one, changed");
      expect(stageTexts).toEqual(["one"]);
    });

    unless("keeps-nothing", "what can't be sent can't be told", async () => {
      await using stage = await openStage();
      await expect(stage.caller.tell({ text: "plain" } as never, clerk)).rejects.toMatchObject({
        code: "invalid-message",
      });
      await expect(stage.caller.tell(undefined as never, clerk)).rejects.toMatchObject({ code: "invalid-argument" });
      await expect(tell(stage, "x", { idempotencyKey: "" })).rejects.toMatchObject({ code: "invalid-argument" });
      // Half of a surrogate pair would arrive as another key.
      await expect(tell(stage, "x", { idempotencyKey: "order \ud800" })).rejects.toMatchObject({
        code: "invalid-argument",
      });
      await expect(tell(stage, "x", { metadata: { agx: "y" } })).rejects.toMatchObject({ code: "invalid-argument" });
      await expect(tell(stage, "x", { timeoutMs: 1 })).rejects.toMatchObject({ code: "invalid-argument" });
    });

    unless("keeps-nothing", "a full mailbox refuses the message, and the teller hears it", async () => {
      const stateStore = new MemoryStateStore({ maxMailboxMessages: 2 });
      await using stage = await openStage({ stateStore });
      const gate = new Gate();
      await stage.host("clerk", () => gate.opened);
      await tell(stage, "1");
      await tell(stage, "2");
      await expect(tell(stage, "3")).rejects.toMatchObject({ code: "overloaded", notHandled: true });
      gate.open();
    });

    test("where no messages are kept, telling is not accessible, and says so", async () => {
      await using stage = await openStage();
      const outcome = await tell(stage, "x").catch((error: unknown) => error);
      if (outcome === undefined) return;
      expect(outcome).toBeInstanceOf(NotAccessibleError);
    });
  });
}

import { describe, expect, test } from "vitest";
import { ambientContexts } from "../../../src/context/index.ts";
import {
  AgentId,
  CancelledError,
  type MessageContext,
  TimedOutError,
  TopicId,
  TypeSubscription,
} from "../../../src/core/index.ts";
import { Gate } from "../../support/gate.ts";
import { Inbox } from "../../support/inbox.ts";
import { Answer, Ask, type Handle, Note, Order, type Stage, type Suite, seeInto } from "./world.ts";

const slowId = new AgentId("slow", "k");
const outerId = new AgentId("outer", "k");

/** Resolves with the reason when the signal aborts. */
function abortOf({ signal }: Pick<MessageContext, "signal">): Promise<unknown> {
  if (signal.aborted) return Promise.resolve(signal.reason);
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(signal.reason)));
}

/** Why each call that reached `slow` was given up; it fails with the reason, so that it can't be mistaken for an answer. */
interface SlowAgent {
  readonly begun: Inbox<string>;
  readonly reasons: Inbox<unknown>;
}

async function hostSlow(stage: Stage): Promise<SlowAgent> {
  const slow = { begun: new Inbox<string>(), reasons: new Inbox<unknown>() };
  await stage.host("slow", async ({ text }, context) => {
    slow.begun.put(text);
    const reason = await abortOf(context);
    slow.reasons.put(reason);
    throw reason;
  });
  return slow;
}

/** Asks `slow` with what `options` makes of its own context, puts how that ended into `ends`, and fails with it. */
function askOn(ends: Inbox<unknown>, options: (context: MessageContext) => object): Handle {
  return async (message, context, probe) => {
    try {
      ends.put(await probe.sendMessage(Ask({ text: message.text }), slowId, options(context)));
    } catch (error) {
      ends.put(error);
      throw error;
    }
  };
}

export function describeGivingUp({ openStage }: Suite): void {
  describe("calls that are given up", () => {
    test("the handler's signal aborts as cancelled when its caller aborts", async () => {
      await using stage = await openStage();
      const slow = await hostSlow(stage);
      const aborting = new AbortController();
      const call = stage.caller.sendMessage(Ask({ text: "x" }), slowId, { signal: aborting.signal });
      const rejected = expect(call).rejects.toBeInstanceOf(CancelledError);
      await slow.begun.take();
      aborting.abort("enough");
      await rejected;
      const reason = await slow.reasons.take();
      expect(reason).toBeInstanceOf(CancelledError);
      expect(reason).toMatchObject({ code: "cancelled" });
    });

    test.each([
      ["the call's own timeout", { timeoutMs: 30 }, undefined],
      ["the runtime's default timeout", {}, 30],
    ])("the handler's signal aborts as timed out at %s", async (_name, options, defaultTimeoutMs) => {
      await using stage = await openStage({ caller: { defaultTimeoutMs } });
      const slow = await hostSlow(stage);
      const call = stage.caller.sendMessage(Ask({ text: "x" }), slowId, options);
      await expect(call).rejects.toBeInstanceOf(TimedOutError);
      const reason = await slow.reasons.take();
      expect(reason).toBeInstanceOf(TimedOutError);
      expect(reason).toMatchObject({ code: "timed-out" });
    });

    test("a handler's signal aborts as shutting down when its runtime ends", async () => {
      await using stage = await openStage();
      const begun = new Gate();
      const reason = new Gate<unknown>();
      await stage.host("worker", async (_message, context) => {
        begun.open();
        reason.open(await abortOf(context));
      });
      await stage.callee.addSubscription(new TypeSubscription("jobs", "worker"));
      await stage.caller.publishMessage(Note({ text: "x" }), new TopicId("jobs", "k"));
      await begun.opened;
      await stage.world.close();
      expect(await reason.opened).toMatchObject({ code: "shutting-down" });
    });

    test("a handler that has answered is not aborted any more", async () => {
      await using stage = await openStage();
      const signals: AbortSignal[] = [];
      await stage.host("slow", (_message, { signal }) => {
        signals.push(signal);
        return Answer({ text: "done" });
      });
      const aborting = new AbortController();
      const options = { signal: aborting.signal, timeoutMs: 10_000 };
      expect((await stage.caller.sendMessage(Ask({ text: "x" }), slowId, options)).text).toBe("done");
      aborting.abort();
      expect((await stage.caller.sendMessage(Ask({ text: "y" }), slowId)).text).toBe("done");
      expect(signals.map(({ aborted }) => aborted)).toEqual([false, false]);
    });

    test("a call without any time left is not sent", async () => {
      await using stage = await openStage();
      await stage.host("slow", seeInto(stage.seen));
      const late = stage.caller.sendMessage(Order({ text: "late" }), slowId, { timeoutMs: 0 });
      await expect(late).rejects.toBeInstanceOf(TimedOutError);
      await stage.caller.sendMessage(Order({ text: "in time" }), slowId);
      expect((await stage.seen.take()).text).toBe("in time");
    });
  });

  describe("calls made by a handler with its own signal", () => {
    const passOn = ({ signal }: MessageContext) => ({ signal });

    test("end when the caller of the handler aborts, and so do their handlers", async () => {
      await using stage = await openStage();
      const slow = await hostSlow(stage);
      const ends = new Inbox<unknown>();
      await stage.host("outer", askOn(ends, passOn));
      const aborting = new AbortController();
      const call = stage.caller.sendMessage(Order({ text: "x" }), outerId, { signal: aborting.signal });
      const rejected = expect(call).rejects.toBeInstanceOf(CancelledError);
      await slow.begun.take();
      aborting.abort();
      await rejected;
      expect(await ends.take()).toMatchObject({ code: "cancelled", cause: { code: "cancelled" } });
      expect(await slow.reasons.take()).toMatchObject({ code: "cancelled" });
    });

    test("have the time that is left to the handler, and end as timed out with it", async () => {
      await using stage = await openStage();
      const slow = await hostSlow(stage);
      const ends = new Inbox<unknown>();
      await stage.host("outer", askOn(ends, passOn));
      const call = stage.caller.sendMessage(Order({ text: "x" }), outerId, { timeoutMs: 60 });
      await expect(call).rejects.toBeInstanceOf(TimedOutError);
      expect(await ends.take()).toBeInstanceOf(TimedOutError);
      expect(await slow.reasons.take()).toBeInstanceOf(TimedOutError);
    });

    test("are not sent when the handler's time is up", async () => {
      await using stage = await openStage();
      await stage.host("slow", seeInto(stage.seen));
      const ends = new Inbox<unknown>();
      await stage.host("outer", async (message, context, probe) => {
        await abortOf(context);
        return askOn(ends, passOn)(message, context, probe);
      });
      const call = stage.caller.sendMessage(Order({ text: "late" }), outerId, { timeoutMs: 30 });
      await expect(call).rejects.toBeInstanceOf(TimedOutError);
      expect(await ends.take()).toBeInstanceOf(TimedOutError);
      await stage.caller.sendMessage(Order({ text: "in time" }), slowId);
      expect((await stage.seen.take()).text).toBe("in time");
    });
  });

  describe("calls made by a handler under ambient contexts", () => {
    const nothing = () => ({});

    test("end with the handler's call without being given its signal", async () => {
      await using stage = await openStage({ callee: { ambient: ambientContexts } });
      const slow = await hostSlow(stage);
      const ends = new Inbox<unknown>();
      await stage.host("outer", askOn(ends, nothing));
      const aborting = new AbortController();
      const cancelled = stage.caller.sendMessage(Order({ text: "x" }), outerId, { signal: aborting.signal });
      const rejected = expect(cancelled).rejects.toBeInstanceOf(CancelledError);
      await slow.begun.take();
      aborting.abort();
      await rejected;
      expect(await ends.take()).toMatchObject({ code: "cancelled" });
      const late = stage.caller.sendMessage(Order({ text: "x" }), outerId, { timeoutMs: 60 });
      await expect(late).rejects.toBeInstanceOf(TimedOutError);
      expect(await ends.take()).toBeInstanceOf(TimedOutError);
      const reasons = await slow.reasons.takeMany(2);
      expect(reasons).toMatchObject([{ code: "cancelled" }, { code: "timed-out" }]);
    });

    test("go their own way with a signal of their own", async () => {
      await using stage = await openStage({ callee: { ambient: ambientContexts } });
      const slow = await hostSlow(stage);
      const ends = new Inbox<unknown>();
      const own = new AbortController();
      await stage.host(
        "outer",
        askOn(ends, () => ({ signal: own.signal })),
      );
      const call = stage.caller.sendMessage(Order({ text: "x" }), outerId, { timeoutMs: 30 });
      await expect(call).rejects.toBeInstanceOf(TimedOutError);
      await slow.begun.take();
      own.abort();
      expect(await ends.take()).toMatchObject({ code: "cancelled" });
      expect(await slow.reasons.take()).toMatchObject({ code: "cancelled" });
    });
  });
}

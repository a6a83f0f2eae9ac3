import { describe, expect, test } from "vitest";
import { AgentId } from "../../../src/core/index.ts";
import { Answer, Ask, Probe, type Stage, type Suite } from "./world.ts";

const lateId = new AgentId("late", "k");
const long = 60_000;

export function describeWaitForTarget({ openStage: open }: Suite): void {
  /** A stage on which a call was made: where the first call brings a disturbance along, it is over. */
  async function openStage(): Promise<Stage> {
    const stage = await open();
    const call = stage.caller.sendMessage(Ask({ text: "x" }), new AgentId("nobody", "k"));
    await expect(call).rejects.toMatchObject({ code: "undeliverable" });
    return stage;
  }

  describe("a call that waits for its target", () => {
    test("is answered by the agent whose type is registered meanwhile, exactly once", async () => {
      await using stage = await openStage();
      const texts: string[] = [];
      const calls = ["a", "b"].map((text) =>
        stage.caller.sendMessage(Ask({ text }), lateId, { waitForTarget: long, timeoutMs: long }),
      );
      await stage.host("late", ({ text }) => {
        texts.push(text);
        return Answer({ text });
      });
      expect((await Promise.all(calls)).map(({ text }) => text)).toEqual(["a", "b"]);
      expect(texts.sort()).toEqual(["a", "b"]);
    });

    test("goes on for an instance as well", async () => {
      await using stage = await openStage();
      const call = stage.caller.sendMessage(Ask({ text: "x" }), lateId, { waitForTarget: long });
      await new Probe(({ text }) => Answer({ text })).registerInstance(stage.callee, lateId);
      expect((await call).text).toBe("x");
    });

    test("is sent at once where somebody serves the type", async () => {
      await using stage = await openStage();
      await stage.host("late");
      const call = stage.caller.sendMessage(Ask({ text: "hi" }), lateId, { waitForTarget: 0 });
      expect((await call).text).toBe("hi from late/k");
    });

    test.each(["Agent type late not found.", "Agent with name late not found."])(
      "is handled once, although its handler fails with the text of a type that nobody serves: %s",
      async (text) => {
        await using stage = await openStage();
        let handled = 0;
        await stage.host("late", () => {
          handled += 1;
          throw new Error(text);
        });
        const call = stage.caller.sendMessage(Ask({ text: "x" }), lateId, { waitForTarget: 200 });
        await expect(call).rejects.toMatchObject({ message: expect.stringContaining(text) });
        expect(handled).toBe(1);
      },
    );

    test("is undeliverable when nobody comes in time, saying how long it waited", async () => {
      await using stage = await openStage();
      const call = stage.caller.sendMessage(Ask({ text: "x" }), lateId, { waitForTarget: 20 });
      await expect(call).rejects.toMatchObject({
        name: "UndeliverableException",
        code: "undeliverable",
        message: expect.stringContaining("agent type late within 20 ms"),
      });
    });

    test("times out when its own time is up first", async () => {
      await using stage = await openStage();
      const call = stage.caller.sendMessage(Ask({ text: "x" }), lateId, { waitForTarget: long, timeoutMs: 20 });
      await expect(call).rejects.toMatchObject({ name: "TimedOutError", code: "timed-out" });
    });

    test("has the time that is left once its target is there", async () => {
      await using stage = await openStage();
      const call = stage.caller.sendMessage(Ask({ text: "x" }), lateId, { waitForTarget: long, timeoutMs: 200 });
      await stage.host("late", () => new Promise(() => undefined));
      await expect(call).rejects.toMatchObject({ code: "timed-out" });
    });

    test("is cancelled by its signal", async () => {
      await using stage = await openStage();
      const aborting = new AbortController();
      const { signal } = aborting;
      const call = stage.caller.sendMessage(Ask({ text: "x" }), lateId, { waitForTarget: long, signal });
      aborting.abort("enough");
      await expect(call).rejects.toMatchObject({ name: "CancelledError", code: "cancelled", cause: "enough" });
    });

    test("ends with its runtime", async () => {
      await using stage = await openStage();
      const call = stage.caller.sendMessage(Ask({ text: "x" }), lateId, { waitForTarget: long });
      const end = expect(call).rejects.toMatchObject({ name: "UndeliverableException" });
      await stage.world.close();
      await end;
    });

    test("passes on the failure of a handler, though it might come again", async () => {
      await using stage = await openStage();
      let handled = 0;
      await stage.host("late", () => {
        handled += 1;
        throw new Error("no milk");
      });
      const call = stage.caller.sendMessage(Ask({ text: "x" }), lateId, { waitForTarget: long });
      await expect(call).rejects.toThrow("no milk");
      expect(handled).toBe(1);
    });

    test("passes on that a third agent is missing: the call was handled, and is not handled again", async () => {
      await using stage = await openStage();
      let handled = 0;
      await stage.host("late", (_message, _context, probe) => {
        handled += 1;
        return probe.sendMessage(Ask({ text: "y" }), new AgentId("third", "k"));
      });
      const call = stage.caller.sendMessage(Ask({ text: "x" }), lateId, { waitForTarget: long });
      await expect(call).rejects.toMatchObject({ code: "undeliverable", message: expect.stringContaining("third") });
      expect(handled).toBe(1);
    });

    test.each([-1, Number.NaN, "soon"])("refuses %s for a time", async (waitForTarget) => {
      await using stage = await openStage();
      const options = { waitForTarget: waitForTarget as number };
      await expect(stage.caller.sendMessage(Ask({ text: "x" }), lateId, options)).rejects.toMatchObject({
        code: "invalid-argument",
      });
    });
  });
}

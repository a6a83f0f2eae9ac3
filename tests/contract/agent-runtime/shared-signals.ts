import { getEventListeners } from "node:events";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ambientContexts } from "../../../src/context/index.ts";
import { AgentId, TopicId, TypeSubscription } from "../../../src/core/index.ts";
import { Gate } from "../../support/gate.ts";
import { Answer, Ask, Note, Probe, type Suite } from "./world.ts";

/** Many things that end with one signal: they share one listener, so that Node sees no leak. */
export function describeSharedSignals(suite: Suite): void {
  describe("one signal for very many", () => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error) => warnings.push(warning);
    beforeEach(() => void process.on("warning", onWarning));
    afterEach(async () => {
      await turn();
      process.off("warning", onWarning);
      expect(warnings.splice(0)).toEqual([]);
    });

    test("calls, waits and registrations has one listener, none when they have ended, and ends them all", async () => {
      await using stage = await suite.openStage();
      const gate = new Gate();
      await stage.host("never", () => gate.opened);
      await stage.callee.registerFactory("slow", () => gate.opened.then(() => new Probe()));
      const { signal, ...controller } = ending();
      const calls = Array.from({ length: 12 }, (_, at) => {
        const recipient = new AgentId(at % 2 === 0 ? "never" : "not-there", String(at));
        return stage.caller.sendMessage(Ask({ text: "" }), recipient, { signal, waitForTarget: 60_000 });
      });
      const waits = Array.from({ length: 12 }, (_, at) =>
        stage.callee.get(new AgentId("slow", String(at)), undefined, { lazy: false, signal }),
      );
      const ends = Promise.allSettled([...calls, ...waits]);
      await turn();
      expect(getEventListeners(signal, "abort")).toHaveLength(1);
      controller.abort(new Error("enough"));
      for (const end of await ends) expect(end).toMatchObject({ status: "rejected", reason: { code: "cancelled" } });
      expect(getEventListeners(signal, "abort")).toHaveLength(0);
      gate.open();
    });

    test("answered calls and events leaves no listener", async () => {
      await using stage = await suite.openStage();
      await stage.host("a");
      const { signal } = ending();
      const topic = new TopicId("t", "s");
      await Promise.all(
        Array.from({ length: 12 }, async (_, at) => {
          await stage.caller.publishMessage(Note({ text: "" }), topic, { signal });
          await stage.caller.sendMessage(Ask({ text: "" }), new AgentId("a", String(at)), { signal });
        }),
      );
      expect(getEventListeners(signal, "abort")).toHaveLength(0);
    });

    test.each([
      ["with its signal", undefined],
      ["with ambient contexts", ambientContexts],
    ])("calls that a handler makes %s brings no warning", async (_name, ambient) => {
      await using stage = await suite.openStage({ callee: { ambient } });
      await stage.host("worker", async () => {
        await turn();
        return Answer({ text: "" });
      });
      await stage.host("chief", async (_message, context, probe) => {
        const options = ambient === undefined ? { signal: context.signal } : {};
        const all = Array.from({ length: 12 }, (_, at) =>
          probe.sendMessage(Ask({ text: "" }), new AgentId("worker", String(at)), options),
        );
        return Answer({ text: String((await Promise.all(all)).length) });
      });
      const { signal } = ending();
      const ask = () => stage.caller.sendMessage(Ask({ text: "" }), new AgentId("chief", "x"), { signal });
      for (const { text } of await Promise.all(Array.from({ length: 12 }, ask))) expect(text).toBe("12");
    });

    test("an event's agents that each take their handler's signal brings no warning", async () => {
      await using stage = await suite.openStage();
      for (let at = 0; at < 12; at += 1) {
        await stage.host(`listener${at}`, ({ text }, { signal }) => stage.texts.put(`${text} ${signal.aborted}`));
        await stage.callee.addSubscription(new TypeSubscription("t", `listener${at}`));
      }
      const { signal } = ending();
      await stage.caller.publishMessage(Note({ text: "news" }), new TopicId("t", "s"), { signal });
      expect(await stage.texts.takeMany(12)).toEqual(Array(12).fill("news false"));
    });
  });
}

/** A signal and what aborts it. */
function ending(): { readonly signal: AbortSignal; readonly abort: (reason: unknown) => void } {
  const controller = new AbortController();
  return { signal: controller.signal, abort: (reason) => controller.abort(reason) };
}

/** Lets timers, sockets and warnings have their turn. */
function turn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

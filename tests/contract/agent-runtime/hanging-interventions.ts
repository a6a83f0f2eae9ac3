import { describe, expect, test } from "vitest";
import {
  AgentId,
  type InterventionHandler,
  TopicId,
  type UndeliverableException,
  type WaitOptions,
} from "../../../src/core/index.ts";
import { Gate } from "../../support/gate.ts";
import { Ask, echo, Note, Probe, type Stage, type Suite, seeInto } from "./world.ts";

const echoId = new AgentId("echo", "k");
const news = new TopicId("news", "k");

/** Expects that the end of the runtime ends the call. */
async function expectEnd(call: Promise<unknown>, { notHandled }: { readonly notHandled: boolean }): Promise<void> {
  const error = await call.catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ name: "UndeliverableException", code: "shutting-down" });
  expect((error as UndeliverableException).notHandled === true).toBe(notHandled);
}

export function describeHangingInterventions({ openStage }: Suite): void {
  /** A stage whose caller asks a human about what says "ask", and does not hear until the gate opens. */
  async function openAsking(where: keyof InterventionHandler) {
    const decision = new Gate();
    const asked = new Gate();
    const aborts: unknown[] = [];
    const decide = async (message: unknown, details: object) => {
      if (!JSON.stringify(message).includes("ask")) return message;
      if ("messageContext" in details) followAbort(details, aborts);
      asked.open();
      await decision.opened;
      return message;
    };
    const stage = await openStage({ caller: { interventionHandlers: [{ [where]: decide }] } });
    await stage.host("echo", (message, context, probe) => {
      seeInto(stage.seen)(message, context, probe);
      return echo(message, context, probe);
    });
    return { stage, decision, asked, aborts };
  }

  /** The same with a call, or an event, that the intervention has been asked about. `end` settles as the call or event does. */
  async function openAsked(where: keyof InterventionHandler, options: WaitOptions = {}) {
    const asking = await openAsking(where);
    const { stage, asked } = asking;
    if (where === "onPublish") await stage.listen("news", "reader");
    const end =
      where === "onPublish"
        ? stage.caller.publishMessage(Note({ text: "ask" }), news, options)
        : stage.caller.sendMessage(Ask({ text: "ask" }), echoId, options);
    // The test looks at it later.
    end.catch(() => undefined);
    await asked.opened;
    return { ...asking, end };
  }

  /** Nothing but the message "after" reaches the agent from now on. */
  async function nothingElseArrives({ caller, seen }: Stage): Promise<void> {
    await caller.sendMessage(Ask({ text: "after" }), echoId);
    expect((await seen.take()).text).toBe("after");
    expect(seen.rest).toEqual([]);
  }

  describe("while an intervention takes its time", () => {
    test.each(["onSend", "onResponse"] as const)("in %s, the time of the call runs", async (where) => {
      const { stage, aborts } = await openAsking(where);
      await using _stage = stage;
      const call = stage.caller.sendMessage(Ask({ text: "ask" }), echoId, { timeoutMs: 60 });
      // Only an `onResponse` holds back a call whose handler has run.
      const says = where === "onSend" ? "The message was not sent." : "";
      const message = expect.stringContaining(says);
      await expect(call).rejects.toMatchObject({ name: "TimedOutError", code: "timed-out", message });
      if (where === "onSend") expect(aborts).toMatchObject([{ code: "timed-out" }]);
    });

    test.each(["onSend", "onResponse"] as const)("in %s, aborting rejects the call at once", async (where) => {
      const aborting = new AbortController();
      const { stage, end } = await openAsked(where, { signal: aborting.signal });
      await using _stage = stage;
      aborting.abort("enough");
      await expect(end).rejects.toMatchObject({ name: "CancelledError", code: "cancelled", cause: "enough" });
    });

    test.each(["onSend", "onResponse"] as const)("in %s, the end of the runtime ends the call", async (where) => {
      const { stage, end } = await openAsked(where);
      await using _stage = stage;
      await stage.world.close();
      await expectEnd(end, { notHandled: where === "onSend" });
    });

    test("a call that was given up is not sent when the intervention lets it go later", async () => {
      const aborting = new AbortController();
      const { stage, end, decision } = await openAsked("onSend", { signal: aborting.signal });
      await using _stage = stage;
      aborting.abort();
      await expect(end).rejects.toMatchObject({ code: "cancelled" });
      decision.open();
      await nothingElseArrives(stage);
    });

    test("a stop ends the call, and the next run does not send it", async () => {
      const { stage, end, decision } = await openAsked("onSend");
      await using _stage = stage;
      await stage.caller.stop();
      await expectEnd(end, { notHandled: true });
      await stage.caller.start();
      decision.open();
      await nothingElseArrives(stage);
    });

    test("in onResponse, a stop ends the call", async () => {
      const { stage, end } = await openAsked("onResponse");
      await using _stage = stage;
      await stage.caller.stop();
      await expectEnd(end, { notHandled: false });
    });

    test("a stop ends an event, and the next run does not publish it", async () => {
      const { stage, end, decision } = await openAsked("onPublish");
      await using _stage = stage;
      await stage.caller.stop();
      await end.catch(() => undefined);
      await stage.caller.start();
      decision.open();
      await stage.caller.publishMessage(Note({ text: "after" }), news);
      expect((await stage.seen.take()).text).toBe("after");
    });

    test("an event whose publisher aborts is not published when the intervention lets it go later", async () => {
      const aborting = new AbortController();
      const { stage, end, decision } = await openAsked("onPublish", { signal: aborting.signal });
      await using _stage = stage;
      aborting.abort();
      await end.catch(() => undefined);
      decision.open();
      await stage.caller.publishMessage(Note({ text: "after" }), news);
      expect((await stage.seen.take()).text).toBe("after");
    });

    test("a call that waits for its target has no more than its own time", async () => {
      const { stage } = await openAsking("onSend");
      await using _stage = stage;
      const bounds = { waitForTarget: 60_000, timeoutMs: 60 };
      const call = stage.caller.sendMessage(Ask({ text: "ask" }), echoId, bounds);
      await expect(call).rejects.toMatchObject({ code: "timed-out" });
    });
  });

  describe("a call whose handler has not begun when the runtime ends", () => {
    test("does not begin it when an interceptor lets it go later", async () => {
      const held = new Gate();
      const release = new Gate();
      const ended = new Gate();
      const interceptor = async (_details: unknown, next: () => Promise<unknown>) => {
        held.open();
        await release.opened;
        return next().finally(() => ended.open());
      };
      await using stage = await openStage({ callee: { interceptors: [interceptor] } });
      await stage.host("echo", seeInto(stage.seen));
      const call = stage.caller.sendMessage(Ask({ text: "x" }), echoId);
      const end = expect(call).rejects.toMatchObject({ code: "shutting-down" });
      await held.opened;
      await stage.callee.stop();
      await stage.world.close();
      await end;
      release.open();
      await ended.opened;
      expect(stage.seen.rest).toEqual([]);
    });

    test("does not begin it when the factory of its agent ends later, and the agent is closed once", async () => {
      await using stage = await openStage();
      const making = new Gate();
      const release = new Gate();
      const probe = new Probe(seeInto(stage.seen));
      await stage.callee.registerFactory("slow", async () => {
        making.open();
        await release.opened;
        return probe;
      });
      const call = stage.caller.sendMessage(Ask({ text: "x" }), new AgentId("slow", "k"));
      const end = expect(call).rejects.toMatchObject({ name: "UndeliverableException" });
      await making.opened;
      const stopped = stage.callee.stop();
      // A runtime in process lets its handlers finish after a stop, and gives them up at its end.
      const closed = stage.callee === stage.caller ? stage.world.close() : stopped;
      await end;
      release.open();
      await closed;
      expect(stage.seen.rest).toEqual([]);
      expect(probe.closed).toBe(1);
    });
  });
}

/** Notes why the signal of an intervention aborts. */
function followAbort({ messageContext }: { readonly messageContext: unknown }, aborts: unknown[]): void {
  // The intervention got it from the runtime as a `MessageContext`.
  const { signal } = messageContext as { readonly signal: AbortSignal };
  signal.addEventListener("abort", () => aborts.push(signal.reason));
}

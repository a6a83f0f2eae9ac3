import { describe, expect, test } from "vitest";
import { AgentId, type AgentRuntime, TopicId, TypeSubscription, type WaitOptions } from "../../../src/core/index.ts";
import { Gate } from "../../support/gate.ts";
import { Answer, Ask, Probe, type Suite } from "./world.ts";

const echoId = new AgentId("echo", "k");

/** Whatever takes a signal, on a runtime that is `is`. */
const waits: readonly {
  readonly what: string;
  readonly is?: "stopped";
  readonly wait: (runtime: AgentRuntime, options: WaitOptions) => Promise<unknown>;
}[] = [
  { what: "start", is: "stopped", wait: (runtime, options) => runtime.start(options) },
  { what: "registerFactory", wait: (runtime, options) => runtime.registerFactory("late", () => new Probe(), options) },
  {
    what: "registerAgentInstance",
    wait: (runtime, options) => runtime.registerAgentInstance(new Probe(), new AgentId("inst", "k"), options),
  },
  { what: "register", wait: (runtime, options) => Probe.register(runtime, "late", () => new Probe(), options) },
  {
    what: "registerInstance",
    wait: (runtime, options) => new Probe().registerInstance(runtime, new AgentId("inst", "k"), options),
  },
  {
    what: "addSubscription",
    wait: (runtime, options) => runtime.addSubscription(new TypeSubscription("news", "echo"), options),
  },
  { what: "removeSubscription", wait: (runtime, options) => runtime.removeSubscription("nothing", options) },
  { what: "get", wait: (runtime, options) => runtime.get(echoId, undefined, { lazy: false, ...options }) },
  {
    what: "tryGetUnderlyingAgentInstance",
    wait: (runtime, options) => runtime.tryGetUnderlyingAgentInstance(echoId, Probe, options),
  },
  { what: "agentMetadata", wait: (runtime, options) => runtime.agentMetadata(echoId, options) },
  { what: "agentSaveState", wait: (runtime, options) => runtime.agentSaveState(echoId, options) },
  { what: "agentLoadState", wait: (runtime, options) => runtime.agentLoadState(echoId, {}, options) },
  { what: "deactivateAgent", wait: (runtime, options) => runtime.deactivateAgent(echoId, options) },
  { what: "destroyAgent", wait: (runtime, options) => runtime.destroyAgent(echoId, options) },
  { what: "saveState", wait: (runtime, options) => runtime.saveState(options) },
  { what: "loadState", wait: (runtime, options) => runtime.loadState({}, options) },
];

export function describeLifeCycle({ openStage }: Suite): void {
  describe("start and stop", () => {
    test("a runtime that runs refuses to start, and goes on", async () => {
      await using stage = await openStage();
      await stage.host("echo");
      await expect(stage.callee.start()).rejects.toMatchObject({ code: "wrong-state" });
      expect((await stage.caller.sendMessage(Ask({ text: "hi" }), echoId)).text).toBe("hi from echo/k");
    });

    test("a runtime can be stopped twice and started again, with what it has registered", async () => {
      await using stage = await openStage();
      await stage.host("echo");
      await stage.callee.stop();
      await stage.callee.stop();
      await stage.callee.start();
      expect((await stage.caller.sendMessage(Ask({ text: "hi" }), echoId)).text).toBe("hi from echo/k");
    });

    test("an aborted signal does not keep a runtime from being stopped, and leaves it stopped at once", async () => {
      await using stage = await openStage();
      await stage.host("echo", () => new Promise(() => undefined));
      const call = stage.caller.sendMessage(Ask({ text: "hi" }), echoId);
      const end = expect(call).rejects.toMatchObject({ name: "UndeliverableException" });
      await stage.callee.stop({ signal: AbortSignal.abort() });
      await stage.world.close();
      await end;
    });

    test("disposal ends a runtime; twice is fine", async () => {
      await using stage = await openStage();
      await stage.host("echo");
      await stage.callee[Symbol.asyncDispose]();
      await stage.callee[Symbol.asyncDispose]();
      await expect(stage.caller.sendMessage(Ask({ text: "hi" }), echoId)).rejects.toMatchObject({
        name: "UndeliverableException",
      });
    });
  });

  describe("a signal ends what waits with `CancelledError`:", () => {
    for (const { what, is, wait } of waits) {
      test(`${what}, which does nothing when it has aborted before`, async () => {
        await using stage = await openStage();
        const probes = await stage.host("echo");
        if (is === "stopped") await stage.callee.stop();
        const cancelled = wait(stage.callee, { signal: AbortSignal.abort("enough") });
        await expect(cancelled).rejects.toMatchObject({ name: "CancelledError", code: "cancelled", cause: "enough" });
        if (is === "stopped") await stage.callee.start();
        expect(probes).toEqual([]);
        for (const type of ["late", "inst"]) await stage.callee.registerFactory(type, () => new Probe());
        await stage.callee.addSubscription(new TypeSubscription("news", "echo"));
        expect((await stage.caller.sendMessage(Ask({ text: "hi" }), echoId)).text).toBe("hi from echo/k");
      });
    }

    test("a wait for an agent that is being made, which goes on for others", async () => {
      await using stage = await openStage();
      const gate = new Gate();
      const begun = new Gate();
      await stage.callee.registerFactory("echo", async () => {
        begun.open();
        await gate.opened;
        return new Probe(({ text }) => Answer({ text }));
      });
      const aborting = new AbortController();
      const { signal } = aborting;
      const refused = Promise.allSettled([
        stage.callee.get(echoId, undefined, { lazy: false, signal }),
        stage.callee.tryGetUnderlyingAgentInstance(echoId, Probe, { signal }),
        stage.callee.agentMetadata(echoId, { signal }),
        stage.callee.agentSaveState(echoId, { signal }),
      ]);
      await begun.opened;
      aborting.abort();
      for (const end of await refused) expect(end).toMatchObject({ status: "rejected", reason: { code: "cancelled" } });
      gate.open();
      expect((await stage.caller.sendMessage(Ask({ text: "made" }), echoId)).text).toBe("made");
    });

    test("a controller in place of a signal is refused", async () => {
      await using stage = await openStage();
      const signal = new AbortController() as never;
      await expect(stage.callee.registerFactory("late", () => new Probe(), { signal })).rejects.toMatchObject({
        code: "invalid-argument",
      });
      await stage.caller.publishMessage(Ask({ text: "x" }), new TopicId("news", "k"));
    });
  });
}

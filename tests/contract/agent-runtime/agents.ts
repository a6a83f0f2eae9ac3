import { describe, expect, test } from "vitest";
import { AgentId, type AgentRuntime, AgentType, TopicId, TypeSubscription } from "../../../src/core/index.ts";
import { Gate } from "../../support/gate.ts";
import { Answer, Ask, echo, Note, Order, Probe, type Suite, seeInto } from "./world.ts";

/** Of another class than `Probe`. */
class OtherProbe extends Probe {}

export function describeAgents({ openStage, unless }: Suite): void {
  describe("agents", () => {
    test("one is made for the first message to its id, and lives on", async () => {
      await using stage = await openStage();
      const probes = await stage.host("echo");
      expect(probes).toHaveLength(0);
      for (const key of ["a", "a", "b"]) await stage.caller.sendMessage(Ask({ text: "x" }), new AgentId("echo", key));
      expect(probes.map((probe) => probe.id.toString())).toEqual(["echo/a", "echo/b"]);
    });

    test("messages that come while it is being made share the one, and reach it in order before later ones [§8.78]", async () => {
      await using stage = await openStage();
      const gate = new Gate();
      let made = 0;
      await stage.callee.registerFactory("echo", async () => {
        made += 1;
        await gate.opened;
        return new Probe(seeInto(stage.seen));
      });
      await stage.callee.addSubscription(new TypeSubscription("news", "echo"));
      const call = stage.caller.sendMessage(Order({ text: "call" }), new AgentId("echo", "k"));
      await stage.caller.publishMessage(Note({ text: "event 1" }), new TopicId("news", "k"));
      await stage.caller.publishMessage(Note({ text: "event 2" }), new TopicId("news", "k"));
      gate.open();
      await call;
      await stage.caller.publishMessage(Note({ text: "later" }), new TopicId("news", "k"));
      const seen = await stage.seen.takeMany(4);
      expect(seen.map(({ text }) => text)).toEqual(["call", "event 1", "event 2", "later"]);
      expect(made).toBe(1);
    });

    test("a factory is told the id and the runtime, to which the agent is then bound", async () => {
      await using stage = await openStage();
      const told: unknown[] = [];
      await stage.callee.registerFactory("echo", ({ id, runtime }) => {
        told.push(id.toString(), runtime === stage.callee);
        return new Probe(echo);
      });
      const { text } = await stage.caller.sendMessage(Ask({ text: "x" }), new AgentId("echo", "k9"));
      expect(told).toEqual(["echo/k9", true]);
      expect(text).toBe("x from echo/k9");
    });

    test("a type can be registered once, wherever", async () => {
      await using stage = await openStage();
      const registered = await stage.callee.registerFactory("echo", () => new Probe());
      expect(registered.type).toBe("echo");
      for (const runtime of [stage.callee, stage.caller]) {
        const again = runtime.registerFactory(new AgentType("echo"), () => new Probe());
        await expect(again).rejects.toMatchObject({ code: "already-exists" });
      }
      expect(await stage.caller.sendMessage(Order({ text: "x" }), new AgentId("echo", "k"))).toBeUndefined();
    });

    test("a text that can not name a type is refused", async () => {
      await using stage = await openStage();
      const registered = stage.callee.registerFactory("a b", () => new Probe());
      await expect(registered).rejects.toMatchObject({ code: "invalid-argument" });
    });

    test("a factory that makes another class than it promised is found out at the first agent", async () => {
      await using stage = await openStage();
      await stage.callee.registerFactory<Probe>("echo", () => new Probe(), { expectedClass: OtherProbe });
      await expect(stage.callee.get("echo", "k", { lazy: false })).rejects.toMatchObject({ code: "wrong-class" });
      await expect(stage.caller.sendMessage(Order({ text: "x" }), new AgentId("echo", "k"))).rejects.toThrow();
    });

    test("get names an agent, and makes it only if asked to", async () => {
      await using stage = await openStage();
      const probes = await stage.host("echo");
      expect((await stage.callee.get("echo")).toString()).toBe("echo/default");
      expect((await stage.callee.get(new AgentType("echo"), "k")).toString()).toBe("echo/k");
      expect((await stage.callee.get(new AgentId("echo", "k"))).toString()).toBe("echo/k");
      expect(probes).toHaveLength(0);
      await stage.callee.get("echo", "k", { lazy: false });
      expect(probes).toHaveLength(1);
    });

    test("get of an agent whose factory hangs ends with the runtime", async () => {
      await using stage = await openStage();
      const making = new Gate();
      const release = new Gate();
      await stage.callee.registerFactory("slow", async () => {
        making.open();
        await release.opened;
        return new Probe();
      });
      const got = stage.callee.get("slow", "k", { lazy: false });
      const end = expect(got).rejects.toMatchObject({
        code: "shutting-down",
        message: expect.stringContaining("slow/k"),
      });
      await making.opened;
      const closed = stage.callee === stage.caller ? stage.world.close() : stage.callee.stop();
      await end;
      release.open();
      await closed;
    });

    test("two messages to one agent are handled concurrently", async () => {
      await using stage = await openStage();
      const gate = new Gate();
      await stage.host("echo", async ({ text }) => {
        if (text === "first") await gate.opened;
        else gate.open();
        return Answer({ text });
      });
      const calls = ["first", "second"].map((text) =>
        stage.caller.sendMessage(Ask({ text }), new AgentId("echo", "k")),
      );
      expect((await Promise.all(calls)).map((answer) => answer.text)).toEqual(["first", "second"]);
    });

    test("one message at a time on request", async () => {
      await using stage = await openStage({ callee: { sequentialAgents: true } });
      const log: string[] = [];
      await stage.host("echo", async ({ text }) => {
        log.push(`begin ${text}`);
        await new Promise((resolve) => setImmediate(resolve));
        log.push(`end ${text}`);
        return Answer({ text });
      });
      const calls = ["1", "2"].map((text) => stage.caller.sendMessage(Ask({ text }), new AgentId("echo", "k")));
      await Promise.all(calls);
      expect(log).toEqual(["begin 1", "end 1", "begin 2", "end 2"]);
    });
  });

  describe("agent instances", () => {
    test("a registered instance gets the messages to its id", async () => {
      await using stage = await openStage();
      const id = await stage.callee.registerAgentInstance(new Probe(echo), new AgentId("inst", "k1"));
      expect((await stage.caller.sendMessage(Ask({ text: "x" }), id)).text).toBe("x from inst/k1");
    });

    test("ids are unique, a type has a factory or instances, and instances of a type one class [§8.122]", async () => {
      await using stage = await openStage();
      await stage.host("made");
      await stage.callee.registerAgentInstance(new Probe(echo), new AgentId("inst", "k1"));
      const sameId = stage.callee.registerAgentInstance(new Probe(), new AgentId("inst", "k1"));
      await expect(sameId).rejects.toMatchObject({
        code: "already-exists",
        message: "Agent with id inst/k1 already exists.",
      });
      const onFactory = stage.callee.registerAgentInstance(new Probe(), new AgentId("made", "k1"));
      await expect(onFactory).rejects.toThrow(
        "Agent factories and agent instances cannot be registered to the same type.",
      );
      const otherClass = stage.callee.registerAgentInstance(new OtherProbe(), new AgentId("inst", "k2"));
      await expect(otherClass).rejects.toMatchObject({
        code: "wrong-class",
        message: "Agent instances must be the same object type.",
      });
      const factory = stage.callee.registerFactory("inst", () => new Probe());
      await expect(factory).rejects.toMatchObject({ code: "already-exists" });
      const second = await stage.callee.registerAgentInstance(new Probe(echo), new AgentId("inst", "k2"));
      expect((await stage.caller.sendMessage(Ask({ text: "x" }), second)).text).toBe("x from inst/k2");
    });

    test("a key without an instance is an error that tells why", async () => {
      await using stage = await openStage();
      await stage.callee.registerAgentInstance(new Probe(echo), new AgentId("inst", "k1"));
      const call = stage.caller.sendMessage(Ask({ text: "x" }), new AgentId("inst", "k2"));
      await expect(call).rejects.toThrow("agent instance that was not registered");
    });

    test("one that is not bound yet when its runtime ends is refused, and leaves no subscription behind", async () => {
      await using stage = await openStage();
      const [binding, release] = [new Gate(), new Gate()];
      class SlowProbe extends Probe {
        override async bindIdAndRuntime(id: AgentId, runtime: AgentRuntime): Promise<void> {
          binding.open();
          await release.opened;
          super.bindIdAndRuntime(id, runtime);
        }
      }
      const subscriptions = [new TypeSubscription("news", "inst", "left")];
      const registered = stage.callee.registerAgentInstance(new SlowProbe(), new AgentId("inst", "k"), {
        subscriptions,
      });
      const end = expect(registered).rejects.toMatchObject({ name: "UndeliverableException", code: "shutting-down" });
      await binding.opened;
      const stopped = stage.callee.stop();
      const closed = stage.callee === stage.caller ? stage.world.close() : stopped;
      release.open();
      await closed;
      await end;
      await expect(stage.callee.removeSubscription("left")).rejects.toMatchObject({ code: "not-found" });
    });

    test("one can be registered at any moment after a message for its id", async () => {
      await using stage = await openStage();
      await stage.callee.registerAgentInstance(new Probe(echo), new AgentId("inst", "first"));
      for (let microtasks = 0; microtasks < 12; microtasks += 1) {
        const id = new AgentId("inst", `k${microtasks}`);
        const early = stage.callee.sendMessage(Ask({ text: "early" }), id).catch((error: unknown) => error);
        for (let count = 0; count < microtasks; count += 1) await undefined;
        await stage.callee.registerAgentInstance(new Probe(echo), id);
        await early;
        expect((await stage.caller.sendMessage(Ask({ text: "x" }), id)).text).toBe(`x from ${id}`);
      }
    });
  });

  describe("the agent itself", () => {
    test("is handed out where it lives, made if need be", async () => {
      await using stage = await openStage();
      const probes = await stage.host("echo");
      const id = new AgentId("echo", "k");
      expect(await stage.callee.tryGetUnderlyingAgentInstance(id, Probe)).toBe(probes[0]);
      expect(await stage.callee.tryGetUnderlyingAgentInstance(id)).toBe(probes[0]);
    });

    test("is not found where its type is unknown", async () => {
      await using stage = await openStage();
      const nobody = stage.callee.tryGetUnderlyingAgentInstance(new AgentId("nowhere", "k"));
      await expect(nobody).rejects.toMatchObject({ code: "not-found" });
    });

    test("is of the wrong class when it is no instance of the one asked for", async () => {
      await using stage = await openStage();
      await stage.host("echo");
      const other = stage.callee.tryGetUnderlyingAgentInstance(new AgentId("echo", "k"), OtherProbe);
      await expect(other).rejects.toMatchObject({ code: "wrong-class" });
    });

    unless("one-runtime", "is not accessible from elsewhere", async () => {
      await using stage = await openStage();
      await stage.host("echo");
      const remote = stage.caller.tryGetUnderlyingAgentInstance(new AgentId("echo", "k"), Probe);
      await expect(remote).rejects.toMatchObject({ code: "not-accessible" });
    });
  });
}

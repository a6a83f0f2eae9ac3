import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import {
  type ActivationContext,
  AgentId,
  BaseAgent,
  type DeactivationReason,
  SingleThreadedAgentRuntime,
} from "../../../../../src/core/index.ts";
import { Gate } from "../../../../support/gate.ts";
import { RecordingLogger } from "../../../../support/recording-logger.ts";
import { type Hooks, id, Noted, open, settle } from "./noted-agents.ts";

setFlagsFromString("--expose-gc");
const collect: () => void = runInNewContext("gc");

describe("an activation with a state", () => {
  test("loads it after the agent is bound and before onActivate, and saves after that", async () => {
    const { catalog, lines, factory, states } = open();
    states.isNew = false;
    catalog.addFactory("a", factory, { concurrency: "sequential" });
    await catalog.agentFor(id);
    expect(lines).toEqual(["assertKept a true", "load a/k as a/k", "onActivate (new: false)", "save"]);
  });

  test("fails if the state can't be saved: it is dropped and closed, and no message reaches it", async () => {
    const { catalog, lines, factory, states, counts } = open();
    states.failsToSave = true;
    catalog.addFactory("a", factory);
    await expect(catalog.agentFor(id)).rejects.toThrow("the store is full");
    expect(lines.slice(2)).toEqual(["onActivate (new: true)", "drop", "close"]);
    expect(catalog.isLive(id)).toBe(false);
    expect(counts.activations).toBe(0);
  });

  test("is refused with its type if it can't be kept", () => {
    const { catalog, factory } = open();
    expect(() => catalog.addFactory("unkept", factory)).toThrow("not kept here");
    expect(catalog.hasType("unkept")).toBe(false);
  });

  test.each<[DeactivationReason, boolean]>([
    ["asked", true],
    ["moved", true],
    ["stale", false],
    ["destroyed", false],
  ])("that ends as %s saves what onDeactivate has changed: %s", async (reason, isSaved) => {
    const { catalog, lines, factory, states, counts } = open();
    states.destroying.open();
    catalog.addFactory("a", factory);
    await catalog.agentFor(id);
    lines.length = 0;
    await catalog.deactivate(id, reason);
    const destroyed = reason === "destroyed" ? ["destroy a/k"] : [];
    const saved = isSaved ? ["save"] : [];
    expect(lines).toEqual([`onDeactivate (${reason})`, ...saved, "drop", "close", ...destroyed]);
    expect(counts).toMatchObject({ activations: 1, deactivations: { [reason]: 1 }, forcedDeactivations: 0 });
  });

  test("does not save what a failing onDeactivate has changed, nor what one has that takes too long", async () => {
    const never = new Promise<never>(() => undefined);
    const hooks: Hooks = {
      onDeactivate: (reason) => {
        if (reason === "asked") throw new Error("no pen");
        return never;
      },
    };
    const { catalog, lines, factory, clock, counts, logger } = open({ hooks });
    catalog.addFactory("a", factory);
    await catalog.agentFor(id);
    lines.length = 0;
    await catalog.deactivate(id, "asked");
    expect(lines).toEqual(["onDeactivate (asked)", "drop", "close"]);
    await catalog.agentFor(id);
    lines.length = 0;
    const ended = catalog.deactivate(id, "moved");
    await settle();
    expect(lines).toEqual(["onDeactivate (moved)"]);
    clock.advance(4_999);
    await settle();
    expect(lines).toEqual(["onDeactivate (moved)"]);
    clock.advance(1);
    await ended;
    expect(lines).toEqual(["onDeactivate (moved)", "drop", "close"]);
    expect(counts.forcedDeactivations).toBe(1);
    expect(logger.texts("error")[0]).toContain("no pen");
    expect(logger.texts("warn")[0]).toContain("5000 ms");
  });

  test("that is destroyed begins anew only when its state is deleted, also if it was not live", async () => {
    const { catalog, lines, factory, states } = open();
    catalog.addFactory("a", factory);
    const destroyed = catalog.deactivate(id, "destroyed");
    const next = catalog.agentFor(id);
    await settle();
    expect(lines).toEqual(["assertKept a false"]);
    states.destroying.open();
    await Promise.all([destroyed, next]);
    expect(lines.slice(1)).toEqual(["destroy a/k", "load a/k as a/k", "onActivate (new: true)", "save"]);
    states.failsToDestroy = true;
    await expect(catalog.deactivate(id, "destroyed")).rejects.toThrow("the store is gone");
    await expect(catalog.deactivate(id, "destroyed")).rejects.toThrow("the store is gone");
    expect(await catalog.agentFor(id)).toBeInstanceOf(Noted);
  });

  test("ends after ten minutes without a turn", async () => {
    const { catalog, clock, counts, factory } = open();
    catalog.addFactory("a", factory);
    await catalog.agentFor(id);
    await settle();
    clock.advance(599_999);
    expect(catalog.isLive(id)).toBe(true);
    clock.advance(1);
    expect(catalog.isLive(id)).toBe(false);
    await settle();
    expect(counts.deactivations.idle).toBe(1);
  });
});

describe("idle agents", () => {
  test.each<[how: string, isDropped: boolean]>([
    ["has ended", false],
    ["was dropped with its host", true],
  ])("leave no timer behind when the last one of their type %s", async (_how, isDropped) => {
    const { catalog, factory, clock } = open();
    catalog.addFactory("a", factory, { idleAfterMs: 1_000, concurrency: "sequential", shared: isDropped });
    const [first, last] = [new AgentId("a", "first"), new AgentId("a", "last")];
    for (const one of [first, last]) await catalog.agentFor(one);
    await catalog.deactivate(first, "asked");
    await settle();
    expect(clock.pendingTimers).toBe(1);
    await (isDropped ? catalog.dropShared() : catalog.deactivate(last, "asked"));
    await settle();
    expect(clock.pendingTimers).toBe(0);
    await catalog.agentFor(last);
    await settle();
    expect(clock.pendingTimers).toBe(1);
  });

  test("are judged by their last use, and by nothing else that goes on", async () => {
    const { catalog, clock, factory } = open({ states: undefined });
    catalog.addFactory("a", factory, { idleAfterMs: 1_000 });
    const other = new AgentId("a", "other");
    await catalog.agentFor(id);
    await catalog.agentFor(other);
    await settle();
    clock.advance(600);
    catalog.inUse(id, () => undefined);
    clock.advance(400);
    expect([catalog.isLive(id), catalog.isLive(other)]).toEqual([true, false]);
    const use = new Gate();
    const used = catalog.inUse(id, () => use.opened);
    clock.advance(5_000);
    expect(catalog.isLive(id)).toBe(true);
    use.open();
    await used;
    clock.advance(999);
    expect(catalog.isLive(id)).toBe(true);
    clock.advance(1);
    expect(catalog.isLive(id)).toBe(false);
  });

  test("stay for the time that keepActive gives them, from onActivate on, and keep no other one", async () => {
    const keeps = (_context: ActivationContext, agent: Noted) => {
      if (agent.id.key === "k") agent.keepActive(10_000);
    };
    const { catalog, clock, factory } = open({ states: undefined, hooks: { onActivate: keeps } });
    catalog.addFactory("a", factory, { idleAfterMs: 1_000 });
    const other = new AgentId("a", "other");
    const kept = await catalog.agentFor(id);
    await catalog.agentFor(other);
    await settle();
    clock.advance(1_000);
    expect([catalog.isLive(id), catalog.isLive(other)]).toEqual([true, false]);
    catalog.inUse(id, () => undefined);
    clock.advance(8_999);
    expect(catalog.isLive(id)).toBe(true);
    if (kept instanceof Noted) kept.keepActive(1);
    clock.advance(1);
    expect(catalog.isLive(id)).toBe(false);
    expect(() => kept instanceof Noted && kept.keepActive(-1)).toThrow("at least 0");
  });

  test("that were dropped in onActivate, which called keepActive, are not kept in memory", async () => {
    const [activating, go] = [new Gate(), new Gate()];
    const left: WeakRef<Noted>[] = [];
    const onActivate = async (_context: ActivationContext, agent: Noted) => {
      agent.keepActive(10_000);
      left.push(new WeakRef(agent));
      activating.open();
      await go.opened;
    };
    const { catalog, factory } = open({ states: undefined, hooks: { onActivate } });
    catalog.addFactory("a", factory, { idleAfterMs: 1_000, shared: true });
    const dropIt = async () => {
      const made = Promise.resolve(catalog.agentFor(id));
      await activating.opened;
      const dropped = catalog.dropShared();
      go.open();
      await Promise.allSettled([made, dropped]);
    };
    await dropIt();
    for (let turns = 0; turns < 5; turns += 1) await settle();
    collect();
    expect(left.map((agent) => agent.deref())).toEqual([undefined]);
    expect(catalog.isLive(id)).toBe(false);
  });

  test("go at most 192 at a time", async () => {
    const { catalog, clock, factory, counts } = open({ states: undefined });
    catalog.addFactory("a", factory, { idleAfterMs: 1_000 });
    const keys = Array.from({ length: 600 }, (_, index) => `${index}`);
    for (const key of keys) await catalog.agentFor(new AgentId("a", key));
    await settle();
    clock.advance(1_000);
    // As many as may run at a time: each of them ends in a later turn.
    expect(counts.deactivations.idle).toBe(192);
    await settle();
    expect(counts.deactivations.idle).toBe(600);
  });

  test("that say goodbye slowly keep no other agent waiting, however many there are", async () => {
    const gate = new Gate();
    const hooks: Hooks = { onDeactivate: () => gate.opened };
    const { catalog, clock, factory, counts } = open({ states: undefined, hooks });
    catalog.addFactory("a", factory, { idleAfterMs: 1_000 });
    for (let key = 0; key < 300; key += 1) await catalog.agentFor(new AgentId("a", `${key}`));
    await settle();
    clock.advance(1_000);
    let isMade = false;
    const made = Promise.resolve(catalog.agentFor(id)).then(() => {
      isMade = true;
    });
    await settle();
    expect([counts.deactivations.idle, isMade]).toEqual([192, true]);
    gate.open();
    await made;
  });

  test("go after those that a cap lets go, while idle agents end slowly", async () => {
    const gate = new Gate();
    const hooks: Hooks = { onDeactivate: () => gate.opened };
    const { catalog, clock, factory, counts } = open({ states: undefined, hooks });
    catalog.addFactory("a", factory, { idleAfterMs: 1_000 });
    catalog.addFactory("capped", factory, { maxLive: 1 });
    for (let key = 0; key < 300; key += 1) await catalog.agentFor(new AgentId("a", `${key}`));
    await settle();
    clock.advance(1_000);
    for (let key = 0; key < 4; key += 1) await catalog.agentFor(new AgentId("capped", `${key}`));
    await settle();
    expect(counts.deactivations).toMatchObject({ idle: 192, capacity: 3 });
    gate.open();
    await settle();
    expect(counts.deactivations.idle).toBe(300);
  });
});

describe("activations beyond a cap", () => {
  test("wait while 256 deactivations run, in order, and each of them begins", async () => {
    const gate = new Gate();
    const { catalog, factory, counts, lines } = open({
      states: undefined,
      hooks: { onDeactivate: () => gate.opened },
      maxLiveAgents: 10,
    });
    catalog.addFactory("a", factory);
    const begun: number[] = [];
    const all = Array.from({ length: 1_000 }, async (_, index) => {
      await catalog.agentFor(new AgentId("a", `${index}`));
      begun.push(index);
    });
    await settle();
    // The activations that had begun before so many deactivations ran.
    expect(counts.deactivations.capacity).toBe(256);
    const late = (async () => {
      await catalog.agentFor(id);
      begun.push(-1);
    })();
    await settle();
    expect(begun).not.toContain(-1);
    expect(lines.filter((line) => line.startsWith("onActivate"))).toHaveLength(begun.length);
    gate.open();
    await Promise.all([...all, late]);
    expect(begun.at(-1)).toBe(-1);
    await settle();
    expect([...catalog.liveAgents()]).toHaveLength(10);
    expect(counts).toMatchObject({ overCap: 0, deactivations: { capacity: 991 } });
  });

  test("are counted if all agents are busy, and made good later", async () => {
    const { catalog, factory, counts } = open({ states: undefined, maxLiveAgents: 64 });
    catalog.addFactory("a", factory);
    const gate = new Gate();
    const uses: unknown[] = [];
    for (let index = 0; index < 64; index += 1) {
      const busy = new AgentId("a", `${index}`);
      await catalog.agentFor(busy);
      uses.push(catalog.inUse(busy, () => gate.opened));
    }
    await catalog.agentFor(id);
    uses.push(catalog.inUse(id, () => gate.opened));
    await settle();
    expect(counts.overCap).toBe(1);
    expect([...catalog.liveAgents()]).toHaveLength(65);
    // One that is not busy itself goes in place of the others.
    await catalog.agentFor(new AgentId("a", "idle"));
    await settle();
    expect(counts).toMatchObject({ overCap: 1, deactivations: { capacity: 1 } });
    gate.open();
    await Promise.all(uses);
    await settle();
    expect([...catalog.liveAgents()]).toHaveLength(64);
    expect(counts.deactivations.capacity).toBe(2);
  });

  test("count no instance, and let none go", async () => {
    const { catalog, factory, lines } = open({ states: undefined, maxLiveAgents: 1 });
    catalog.addFactory("a", factory);
    await catalog.addInstance(new Noted(lines, {}), new AgentId("instance", "k"));
    await catalog.agentFor(id);
    await catalog.agentFor(new AgentId("a", "other"));
    await settle();
    expect([...catalog.liveAgents()].map(([liveId]) => liveId.toString())).toEqual(["a/other", "instance/k"]);
  });
});

describe("the end of a runtime", () => {
  test("aborts the signal of an activation that has not ended, and waits for the end of a deactivation", async () => {
    const reasons: unknown[] = [];
    const ending = new Gate();
    const hooks: Hooks = {
      onActivate: ({ signal }, agent) => {
        if (agent.id.key !== "slow") return undefined;
        return new Promise<void>((resolve) => {
          signal.addEventListener("abort", () => {
            reasons.push(signal.reason);
            resolve();
          });
        });
      },
      onDeactivate: (reason) => (reason === "asked" ? ending.opened : undefined),
    };
    const { catalog, factory, lines } = open({ states: undefined, hooks });
    catalog.addFactory("a", factory);
    await catalog.agentFor(id);
    const slow = catalog.agentFor(new AgentId("a", "slow"));
    const gone = catalog.deactivate(id, "asked");
    const next = catalog.agentFor(id);
    await settle();
    let isClosed = false;
    const closed = catalog.close().then(() => {
      isClosed = true;
    });
    await slow;
    await settle();
    expect(isClosed).toBe(false);
    expect(catalog.unended).toContainEqual({ id, at: "being deactivated" });
    ending.open();
    await Promise.all([closed, gone]);
    await expect(next).rejects.toMatchObject({ code: "shutting-down" });
    expect(reasons).toMatchObject([{ code: "shutting-down" }]);
    // The one that was being made has had its end, too.
    expect(lines.filter((line) => line === "onDeactivate (shutting-down)")).toHaveLength(1);
    expect(lines.filter((line) => line === "close")).toHaveLength(2);
  });

  test("ends the wait of a deactivation for a turn that does not end", async () => {
    const runtime = new SingleThreadedAgentRuntime({ logger: new RecordingLogger(), checksMessages: false });
    await runtime.start();
    const begun = new Gate();
    class Hanging extends BaseAgent {
      constructor() {
        super("hangs");
      }
      protected override onMessageImpl(): Promise<never> {
        begun.open();
        return new Promise(() => undefined);
      }
    }
    await runtime.registerFactory("a", () => new Hanging());
    const call = runtime.sendMessage("x" as never, id).catch(() => undefined);
    await begun.opened;
    const gone = runtime.deactivateAgent(id);
    await runtime.close();
    await Promise.all([gone, call]);
    expect(runtime.counters().deactivations).toMatchObject({ asked: 0, "shutting-down": 1 });
  });
});

import { describe, expect, test } from "vitest";
import { type Agent, AgentId, BaseAgent, SingleThreadedAgentRuntime } from "../../../../../src/core/index.ts";
import { type AgentCatalog, HandlerContext } from "../../../../../src/core/internal.ts";
import { ManualClock } from "../../../../../src/testing/index.ts";
import { Keeper, id as keeper } from "../../../../contract/agent-runtime/keepers.ts";
import { Ask } from "../../../../contract/agent-runtime/world.ts";
import { Gate } from "../../../../support/gate.ts";
import { RecordingLogger } from "../../../../support/recording-logger.ts";
import { WatchedStore } from "../../../../support/watched-store.ts";
import { id, open, settle } from "./noted-agents.ts";

function contextOf(catalog: AgentCatalog, agentId: AgentId): HandlerContext {
  const unsent = { sender: undefined, topicId: undefined, isRpc: true, messageId: "1" };
  return new HandlerContext({ ...unsent, agentId, runtime: catalog.runtime });
}

describe("a shared type whose worker has lost its host", () => {
  test("lets the messages that wait for their turn have it at an agent that stays", async () => {
    const { catalog, factory, lines } = open({ states: undefined });
    catalog.addFactory("a", factory, { concurrency: "sequential", shared: true });
    const first = await catalog.agentFor(id);
    const gate = new Gate();
    const had: Agent[] = [];
    const inTurn = (body: (agent: Agent) => unknown) => {
      const delivery = { agentId: id, message: "x", context: contextOf(catalog, id), link: undefined };
      return catalog.turnsOf("a")?.inTurn(delivery, body, first, "alone");
    };
    const held = inTurn(() => gate.opened);
    const waiting = [1, 2].map(() => inTurn((agent) => had.push(agent)));
    await catalog.dropShared();
    await Promise.all(waiting);
    const live = catalog.peek(id);
    expect(live).toBeDefined();
    expect(had).toEqual([live, live]);
    expect(lines.filter((line) => line === "onDeactivate (stale)")).toHaveLength(1);
    gate.open();
    await held;
  });

  test("does not end an agent for a cap whose turn runs, also if the turn has waited at the activation before", async () => {
    const { catalog, factory, lines } = open({ states: undefined, maxLiveAgents: 1 });
    catalog.addFactory("a", factory, { concurrency: "sequential", shared: true });
    const first = await catalog.agentFor(id);
    const [before, gate] = [new Gate(), new Gate()];
    const inTurn = (body: () => unknown) => {
      const delivery = { agentId: id, message: "x", context: contextOf(catalog, id), link: undefined };
      return catalog.inUse(id, () => catalog.turnsOf("a")?.inTurn(delivery, body, first, "alone"));
    };
    const held = inTurn(() => before.opened);
    const waiting = inTurn(async () => {
      lines.push("begins");
      await gate.opened;
    });
    await catalog.dropShared();
    await settle();
    expect(lines).toContain("begins");
    const other = new AgentId("a", "other");
    await catalog.agentFor(other);
    await settle();
    expect([catalog.isLive(id), catalog.isLive(other)]).toEqual([true, false]);
    for (const one of [before, gate]) one.open();
    await Promise.all([held, waiting]);
  });

  test("drops all agents when the host is lost, also 130,000 of one type, and ends with the runtime meanwhile", async () => {
    const { catalog } = open({ states: undefined });
    let closed = 0;
    class Bare extends BaseAgent {
      override close(): void {
        closed += 1;
      }
      protected override onMessageImpl(): void {}
    }
    const types = ["a", "b"];
    for (const type of types) catalog.addFactory(type, () => new Bare("bare"), { shared: true });
    const count = 130_000;
    const made: unknown[] = [catalog.agentFor(new AgentId("b", "k"))];
    for (let key = 0; key < count; key += 1) made.push(catalog.agentFor(new AgentId("a", `${key}`)));
    await Promise.all(made);
    await Promise.all([catalog.dropShared(), catalog.close()]);
    expect([closed, ...catalog.liveAgents()]).toEqual([count + 1]);
  });

  test("drops an agent that is just being made, and says so to the messages that waited for it", async () => {
    const { catalog, factory } = open({ states: undefined });
    catalog.addFactory("a", factory, { shared: true });
    const made = catalog.agentFor(id);
    await catalog.dropShared();
    expect(catalog.isDropped(await made)).toBe(true);
    const next = await catalog.agentFor(id);
    expect(catalog.isDropped(next)).toBe(false);
    expect(catalog.peek(id)).toBe(next);
  });
});

test("destroyAgent rejects if the runtime ends before the state is deleted", async () => {
  const running: HandlerContext[] = [];
  const { catalog, factory, lines } = open({ contextsAt: () => running });
  catalog.addFactory("a", factory);
  await catalog.agentFor(id);
  running.push(contextOf(catalog, id));
  const destroyed = catalog.deactivate(id, "destroyed");
  const rejected = expect(destroyed).rejects.toMatchObject({ code: "shutting-down" });
  await settle();
  await catalog.close();
  await rejected;
  expect(lines).not.toContain("destroy a/k");
});

test("the log says so when a handler that awaits the end of its own agent blocks it", async () => {
  const clock = new ManualClock();
  const logger = new RecordingLogger();
  const inside = new Gate();
  const runtime = new SingleThreadedAgentRuntime({ clock, logger });
  await Keeper.register(
    runtime,
    "keeper",
    () =>
      new Keeper(() => {
        inside.open();
        return runtime.deactivateAgent(keeper);
      }),
  );
  await runtime.start();
  const held = runtime.sendMessage(Ask({ text: "hold" }), keeper).catch(() => undefined);
  await inside.opened;
  await settle();
  clock.advance(9_999);
  expect(logger.texts("warn")).toEqual([]);
  clock.advance(1);
  expect(logger.texts("warn")).toEqual([
    "keeper/ada is to end its activation, and has waited for 10 s for a handler that runs. Messages for it wait meanwhile. If the handler awaits deactivateAgent or destroyAgent for its own agent, it waits without end: leave out the await there.",
  ]);
  await runtime.close();
  await held;
});

test("a saveState that waits for a turn ends with the runtime, and no agent is made for it", async () => {
  const store = new WatchedStore();
  const inside = new Gate();
  const gate = new Gate();
  let made = 0;
  const runtime = new SingleThreadedAgentRuntime({ stateStore: store });
  await Keeper.register(runtime, "keeper", () => {
    made += 1;
    return new Keeper(() => {
      inside.open();
      return gate.opened;
    });
  });
  await runtime.start();
  const held = runtime.sendMessage(Ask({ text: "hold" }), keeper).catch(() => undefined);
  await inside.opened;
  const saved = expect(runtime.agentSaveState(keeper)).rejects.toMatchObject({ code: "shutting-down" });
  await settle();
  await runtime.close();
  await saved;
  gate.open();
  await held;
  await settle();
  expect(made).toBe(1);
});

test("nothing of a turn that still runs when the runtime closes is saved, and none of its events leaves", async () => {
  const store = new WatchedStore();
  const inside = new Gate();
  const gate = new Gate();
  const runtime = new SingleThreadedAgentRuntime({ stateStore: store });
  await Keeper.register(runtime, "keeper", () => {
    return new Keeper(async (text, agent) => {
      agent.state.total += Number(text);
      if (text !== "2") return "";
      inside.open();
      await gate.opened;
      return "";
    });
  });
  await runtime.start();
  await runtime.sendMessage(Ask({ text: "1" }), keeper);
  const held = runtime.sendMessage(Ask({ text: "2" }), keeper).catch(() => undefined);
  await inside.opened;
  await runtime.close();
  gate.open();
  await held;
  await settle();
  expect(await store.stored(keeper)).toEqual({ total: 1, log: [] });
});

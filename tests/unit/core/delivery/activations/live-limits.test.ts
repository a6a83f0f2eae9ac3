import { expect, test } from "vitest";
import { createAgentKind } from "../../../../../src/core/delivery/activations/agent-kind.ts";
import { LiveAgents } from "../../../../../src/core/delivery/activations/live-agents.ts";
import { LiveLimits } from "../../../../../src/core/delivery/activations/live-limits.ts";
import { AgentId, BaseAgent, type Clock } from "../../../../../src/core/index.ts";
import { createActivationCounters } from "../../../../../src/core/internal.ts";
import { ManualClock } from "../../../../../src/testing/index.ts";
import { Gate } from "../../../../support/gate.ts";
import { open, settle } from "./noted-agents.ts";

const idleAfterMs = 1_000;

class Keyed extends BaseAgent {
  readonly #id: AgentId;

  constructor(key: string) {
    super("keyed");
    this.#id = new AgentId("a", key);
  }

  override get id(): AgentId {
    return this.#id;
  }

  protected override onMessageImpl(): void {}
}

/** Live agents that count at how many of them somebody looks. */
class WatchedAgents extends LiveAgents {
  looks = 0;

  override first(): number {
    this.looks += 1;
    return super.first();
  }
}

function openLimits() {
  const clock = new ManualClock();
  const tracked = new WatchedAgents(() => clock.now());
  const source = { by: "factory", factory: () => new Keyed(""), expectedClass: undefined } as const;
  const kind = createAgentKind(source, { tracked, limits: { idleAfterMs, maxLive: Number.POSITIVE_INFINITY } });
  /** Looks before each timer that is set. */
  const looks: number[] = [];
  const setTimer: Clock["setTimer"] = (ms, onTime) => {
    looks.push(tracked.looks);
    tracked.looks = 0;
    return clock.setTimer(ms, onTime);
  };
  const limits = new LiveLimits({
    ...{
      clock: { now: () => clock.now(), wallNow: () => clock.wallNow(), setTimer },
      counts: createActivationCounters(),
      maxLiveAgents: Number.POSITIVE_INFINITY,
      kinds: () => [kind],
    },
    ...{ isFull: () => false, isFullForIdleness: () => false, deactivate: (_kind, key) => tracked.delete(key) },
  });
  const add = (key: string): number => {
    const slot = tracked.set(key, new Keyed(key));
    limits.added(kind, slot);
    return slot;
  };
  return { clock, tracked, add, looks };
}

test("a sweep for idle agents looks at no busy one", () => {
  const { clock, tracked, add, looks } = openLimits();
  for (let index = 0; index < 10_000; index += 1) tracked.hold(add(`${index}`));
  add("idle");
  clock.advance(idleAfterMs);
  expect([tracked.has("idle"), tracked.size]).toEqual([false, 10_000]);
  expect(looks).toEqual([0, 2]);
});

test("a sweep for idle agents lets others have their turn, however many are kept active, and finds the idle one behind them", () => {
  const { clock, tracked, add, looks } = openLimits();
  for (let index = 0; index < 10_000; index += 1) tracked.keep(add(`${index}`), 1_000_000);
  add("idle");
  clock.advance(idleAfterMs);
  expect([tracked.has("idle"), tracked.size]).toEqual([false, 10_000]);
  // The first timer was set for the first agent. Ten sweeps go on, and the last one ends.
  expect(looks).toEqual([0, ...Array.from({ length: 10 }, () => 1_001), 1]);
  // It begins again after a while.
  clock.advance(idleAfterMs - 1);
  expect(looks).toHaveLength(12);
  clock.advance(1);
  expect(looks.length).toBeGreaterThan(12);
});

test("a cap lets the agent go that was unused for the longest time, however many busy ones came before it", async () => {
  const { catalog, factory } = open({ states: undefined, maxLiveAgents: 201 });
  catalog.addFactory("a", factory);
  const gate = new Gate();
  const uses: unknown[] = [];
  for (let index = 0; index < 200; index += 1) {
    const busy = new AgentId("a", `${index}`);
    await catalog.agentFor(busy);
    uses.push(catalog.inUse(busy, () => gate.opened));
  }
  await catalog.agentFor(new AgentId("a", "unused"));
  await settle();
  await catalog.agentFor(new AgentId("a", "just used"));
  await settle();
  expect([catalog.isLive(new AgentId("a", "unused")), catalog.isLive(new AgentId("a", "just used"))]).toEqual([
    false,
    true,
  ]);
  gate.open();
  await Promise.all(uses);
});

import { describe, expect, test } from "vitest";
import { z } from "zod";
import { BaseAgent, defineMessage, type Timer } from "../../../../../src/core/index.ts";
import type { TimerMessage } from "../../../../../src/core/internal.ts";
import { Gate } from "../../../../support/gate.ts";
import { id, open, settle } from "./noted-agents.ts";

const Tick = defineMessage("TimerTick", z.object({}));

/** A catalog whose agents start a timer that repeats; `delivered` has the messages of timers. */
function openTimers(onDeactivate: () => unknown = () => undefined) {
  const delivered: TimerMessage[] = [];
  let timer: Timer | undefined;
  class Ticking extends BaseAgent {
    override async onActivate(): Promise<void> {
      timer = this.startTimer(1_000, Tick({}), { repeats: true });
    }

    override async onDeactivate(): Promise<void> {
      await onDeactivate();
    }

    protected override onMessageImpl(): void {}
  }
  const rig = open({ states: undefined, deliverTimer: (message) => void delivered.push(message) });
  rig.catalog.addFactory("a", () => new Ticking("ticks"));
  return { ...rig, delivered, cancel: () => timer?.cancel() };
}

describe("a timer of an agent", () => {
  test("does not fire while the agent's onDeactivate runs", async () => {
    const gate = new Gate();
    const { catalog, clock, delivered } = openTimers(() => gate.opened);
    await catalog.agentFor(id);
    const left = catalog.deactivate(id, "asked");
    await settle();
    clock.advance(5_000);
    expect(delivered).toEqual([]);
    gate.open();
    await left;
  });

  test("that is cancelled while its turn runs does not begin again with the end of that turn", async () => {
    const { catalog, clock, delivered, cancel } = openTimers();
    await catalog.agentFor(id);
    clock.advance(1_000);
    cancel();
    delivered[0]?.onEnd();
    clock.advance(5_000);
    expect(delivered).toHaveLength(1);
  });
});

test("what a late onDeactivate has changed is not saved after its time", async () => {
  const gate = new Gate();
  const { catalog, clock, lines, factory } = open({ hooks: { onDeactivate: () => gate.opened } });
  catalog.addFactory("a", factory);
  await catalog.agentFor(id);
  lines.length = 0;
  const left = catalog.deactivate(id, "asked");
  await settle();
  clock.advance(5_000);
  await left;
  gate.open();
  await settle();
  expect(lines).toEqual(["onDeactivate (asked)", "drop", "close"]);
});

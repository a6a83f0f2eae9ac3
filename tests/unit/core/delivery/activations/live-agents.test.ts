import { describe, expect, test } from "vitest";
import { LiveAgents } from "../../../../../src/core/delivery/activations/live-agents.ts";
import { AgentId, BaseAgent } from "../../../../../src/core/index.ts";
import { seededRandom } from "../../../../../src/testing/seeded-random.ts";

class Plain extends BaseAgent {
  readonly #id: AgentId;

  constructor(key: string) {
    super("plain");
    this.#id = new AgentId("plain", key);
  }

  override get id(): AgentId {
    return this.#id;
  }

  protected override onMessageImpl(): void {}
}

interface Entry {
  readonly key: string;
  readonly agent: Plain;
  usedMs: number;
  held: number;
}

/** The same as `LiveAgents`, in an array: the oldest comes first. */
class Model {
  entries: Entry[] = [];
  readonly now: () => number;

  constructor(now: () => number) {
    this.now = now;
  }

  find(key: string): Entry | undefined {
    return this.entries.find((entry) => entry.key === key);
  }

  delete(key: string): void {
    this.entries = this.entries.filter((entry) => entry.key !== key);
  }

  set(key: string, agent: Plain): void {
    this.delete(key);
    this.entries.push({ key, agent, usedMs: this.now(), held: 0 });
  }

  touch(key: string): void {
    const entry = this.find(key);
    if (entry === undefined) return;
    entry.usedMs = Math.max(entry.usedMs, this.now());
    this.putBehind(entry);
  }

  /** The keys of what is not held, from the oldest to the newest. Each is touched. */
  order(): string[] {
    const free = this.entries.filter(({ held }) => held === 0).map(({ key }) => key);
    for (const key of free) this.touch(key);
    return free;
  }

  putBehind(entry: Entry): void {
    this.entries = [...this.entries.filter((other) => other !== entry), entry];
  }
}

/** Returns the keys of the agents that are not in use, as the table hands them out. Each counts as used now. */
function order(live: LiveAgents): string[] {
  const keys: string[] = [];
  live.oldest((slot) => {
    keys.push(live.keyAt(slot));
    return false;
  });
  return keys;
}

describe("LiveAgents", () => {
  test.each([1, 2, 3])("does what an array would do, in 1 000 random steps (seed %i)", (seed) => {
    const random = seededRandom(seed);
    const below = (count: number) => random.between(0, count - 1);
    let nowMs = 0;
    const now = () => nowMs;
    const live = new LiveAgents(now);
    const model = new Model(now);
    for (let step = 0; step < 1_000; step += 1) {
      nowMs += below(3);
      const key = `k${below(20)}`;
      const slot = live.slotOf(key);
      const entry = model.find(key);
      expect(slot >= 0).toBe(entry !== undefined);
      switch (below(7)) {
        case 0:
        case 1: {
          const agent = new Plain(key);
          live.set(key, agent);
          model.set(key, agent);
          break;
        }
        case 2:
          expect(live.delete(key)).toBe(entry !== undefined);
          model.delete(key);
          break;
        case 3:
          if (entry === undefined) break;
          live.hold(slot);
          model.touch(key);
          entry.held += 1;
          break;
        case 4:
          if (entry === undefined || entry.held === 0) break;
          entry.held -= 1;
          expect(live.release(slot)).toBe(entry.held === 0);
          model.touch(key);
          break;
        case 5:
          if (entry === undefined) break;
          live.keep(slot, nowMs + 5);
          entry.usedMs = Math.max(entry.usedMs, nowMs + 5);
          break;
        case 6:
          if (entry === undefined) break;
          live.putBehind(slot);
          if (entry.held === 0) model.putBehind(entry);
      }
      expect(order(live)).toEqual(model.order());
      const isSame = model.entries.every(({ key: own, agent, usedMs, held }) => {
        const at = live.slotOf(own);
        return live.get(own) === agent && live.usedMs(at) === usedMs && live.isHeld(at) === held > 0;
      });
      expect([live.size, isSame]).toEqual([model.entries.length, true]);
      const free = live.oldest((candidate) => !live.isHeld(candidate));
      expect(free < 0 ? undefined : live.keyAt(free)).toBe(model.entries.find((one) => one.held === 0)?.key);
    }
    expect([...live].map(([key]) => key).sort()).toEqual(model.entries.map((one) => one.key).sort());
    live.clear();
    expect([live.size, order(live), live.first()]).toEqual([0, [], -1]);
  });

  test("looks at 64 agents at a time, and then at others", () => {
    const live = new LiveAgents(() => 0);
    for (let index = 0; index < 65; index += 1) live.set(`k${index}`, new Plain(`k${index}`));
    const isLast = (slot: number) => live.keyAt(slot) === "k64";
    expect(live.oldest(isLast)).toBe(-1);
    expect(live.oldest(isLast)).toBe(live.slotOf("k64"));
  });

  test("finds the one that is not in use among any number that are", () => {
    const live = new LiveAgents(() => 0);
    for (let index = 0; index < 1_000; index += 1) live.set(`k${index}`, new Plain(`k${index}`));
    for (let index = 0; index < 999; index += 1) live.hold(live.slotOf(`k${index}`));
    expect(live.keyAt(live.oldest(() => true))).toBe("k999");
    live.release(live.slotOf("k7"));
    live.delete("k999");
    expect(live.keyAt(live.oldest(() => true))).toBe("k7");
  });

  test("uses the places of removed agents again", () => {
    const live = new LiveAgents(() => 0);
    const slots = new Set<number>();
    for (let index = 0; index < 10_000; index += 1) {
      slots.add(live.set(`k${index}`, new Plain(`k${index}`)));
      if (index >= 10) live.delete(`k${index - 10}`);
    }
    expect(slots.size).toBe(11);
  });
});

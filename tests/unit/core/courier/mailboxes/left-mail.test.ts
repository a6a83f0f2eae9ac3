import { describe, expect, test } from "vitest";
import type { CourierCall, CourierOutcome } from "../../../../../src/core/courier/courier-call.ts";
import { type ErrorCode, TroupeError } from "../../../../../src/core/internal.ts";
import { seededRandom } from "../../../../../src/testing/index.ts";
import { handled, Lab, turn } from "../courier-lab.ts";

/** The key of an agent is `type:number` here. */
async function startedLab(): Promise<Lab> {
  const lab = await Lab.started();
  lab.typeOf = (key) => key.slice(0, key.indexOf(":"));
  return lab;
}

function failed(code: ErrorCode): CourierOutcome {
  return { at: "failed", error: new TroupeError(code, "text") };
}

const weekMs = 7 * 24 * 60 * 60 * 1_000;
// A long name fills the memory for mailboxes sooner.
const long = "x".repeat(1_000);
/** Bytes of mailboxes in memory, by the bytes of one with a long name. */
const mostMailboxes = Math.floor((4 * 1_024 * 1_024) / (1_024 + 4 * long.length));

async function pass(lab: Lab, forMs: number, stepMs = 1_000): Promise<void> {
  const endMs = lab.clock.now() + forMs;
  await lab.until(() => lab.clock.now() >= endMs, stepMs);
}

/** Keeps messages 1, 2, … for each of so many agents of a type. */
async function keepFor(lab: Lab, agentType: string, agents: number, messages = 1): Promise<void> {
  for (let id = 1; id <= messages; id += 1) {
    for (let index = 0; index < agents; index += 1) await lab.keep(`${agentType}:${long}${index}`, String(id));
  }
}

/** Notes the calls that are answered with `handled`, by the key of the agent. */
function noteHandled(lab: Lab, answer: (call: CourierCall) => CourierOutcome): Map<string, string[]> {
  const seen = new Map<string, string[]>();
  lab.answer = (call) => {
    const outcome = answer(call);
    const { key } = call.agent;
    if (outcome.at === "handled") seen.set(key, [...(seen.get(key) ?? []), call.id]);
    return outcome;
  };
  return seen;
}

describe("a courier with mail for agents of a type that nobody serves", () => {
  test("tries one of 5,000 agents at a time, with one timer, and delivers all within 30 s when the type is served", async () => {
    const lab = await startedLab();
    let isServed = false;
    let tries = 0;
    lab.isServed = () => isServed;
    const seen = noteHandled(lab, () => {
      tries += 1;
      return isServed ? handled : failed("undeliverable");
    });
    await keepFor(lab, "away", 5_000);
    await pass(lab, 60_000);
    expect(lab.clock.pendingTimers).toBeLessThan(10);
    tries = 0;
    await pass(lab, 600_000);
    expect(tries).toBeLessThan(50);
    await lab.keep(`away:${long}7`, "2");
    await lab.keep("away:new", "1");
    isServed = true;
    const fromMs = lab.clock.now();
    await lab.until(() => lab.courier.counters.mailDelivered === 5_002, 100);
    expect(lab.clock.now() - fromMs).toBeLessThanOrEqual(30_000);
    expect(seen.get(`away:${long}7`)).toEqual(["1", "2"]);
    expect(await lab.memory.mail({ limit: 1 })).toEqual([]);
  });

  test("is not busy while they wait, and is busy until all was delivered", async () => {
    const lab = await startedLab();
    let isServed = false;
    lab.isServed = () => isServed;
    lab.answer = () => {
      expect(lab.busy).toBe(true);
      return isServed ? handled : failed("undeliverable");
    };
    await keepFor(lab, "away", 3_000);
    await lab.until(() => !lab.busy, 10);
    isServed = true;
    await lab.until(() => lab.courier.counters.mailDelivered > 0, 100);
    await lab.until(() => !lab.busy, 10);
    expect(lab.courier.counters.mailDelivered).toBe(3_000);
  });

  test("gives up each message that is a week old, one right after the other", async () => {
    const lab = await startedLab();
    lab.isServed = () => false;
    lab.answer = () => failed("undeliverable");
    await keepFor(lab, "away", 1_500);
    await pass(lab, 60_000);
    lab.clock.advance(weekMs);
    await lab.until(() => lab.courier.counters.deadLetters === 1_500, 100);
    expect(lab.clock.now() - lab.clock.wallNow()).toBe(0);
  });

  test("makes a dead letter of a message that its handler fails to handle 5 times, though the type is away between", async () => {
    const lab = await startedLab();
    let tries = 0;
    lab.isServed = () => tries % 2 === 1;
    lab.answer = () => failed(tries++ % 2 === 0 ? "handler-failed" : "undeliverable");
    await lab.keep("odd:1", "1");
    await lab.until(() => lab.courier.counters.deadLetters === 1);
    expect(tries).toBe(9);
  });

  test("delivers mail of 2,000 types that nobody served, each in its order", async () => {
    const lab = await startedLab();
    let isServed = false;
    lab.isServed = () => isServed;
    const seen = noteHandled(lab, () => (isServed ? handled : failed("undeliverable")));
    for (const id of ["1", "2"]) for (let index = 0; index < 2_000; index += 1) await lab.keep(`t${index}:1`, id);
    await pass(lab, 120_000);
    isServed = true;
    await lab.until(() => lab.courier.counters.mailDelivered === 4_000);
    expect([...seen.values()].every((ids) => ids.join() === "1,2")).toBe(true);
  });
});

describe("a courier with more waiting agents than have room in memory", () => {
  test("keeps a bound, and delivers mail of another type at once", async () => {
    const lab = await startedLab();
    lab.answer = ({ agent: { type } }) => (type === "fine" ? handled : failed("undeliverable"));
    for (const type of ["one", "two", "three"]) await keepFor(lab, type, 1_000);
    await pass(lab, 60_000);
    expect(lab.clock.pendingTimers).toBeLessThanOrEqual(mostMailboxes);
    await keepFor(lab, "fine", 50);
    const fromMs = lab.clock.now();
    await lab.until(() => lab.courier.counters.mailDelivered === 50, 10);
    expect(lab.clock.now() - fromMs).toBeLessThanOrEqual(100);
  });

  test("leaves room for agents at another address while those of a hundred types at one address wait", async () => {
    const lab = await startedLab();
    lab.partyOf = (agentType) => (agentType === "fine" ? "10.0.0.2" : "10.0.0.1");
    lab.answer = ({ agent: { type } }) => (type === "fine" ? handled : failed("undeliverable"));
    for (let index = 0; index < 2_000; index += 1) await lab.keep(`t${index % 100}:${long}${index}`, "1");
    await pass(lab, 30_000);
    await keepFor(lab, "fine", 50);
    const fromMs = lab.clock.now();
    await lab.until(() => lab.courier.counters.mailDelivered === 50, 10);
    expect(lab.clock.now() - fromMs).toBeLessThanOrEqual(100);
  });

  test("reaches an agent whose type has 2,000 others that can't be reached", async () => {
    const lab = await startedLab();
    lab.answer = ({ agent: { key } }) => (key === "away:fine" ? handled : failed("undeliverable"));
    await keepFor(lab, "away", 2_000);
    await pass(lab, 30_000);
    await lab.keep("away:fine", "1");
    const fromMs = lab.clock.now();
    await lab.until(() => lab.courier.counters.mailDelivered === 1, 100);
    expect(lab.clock.now() - fromMs).toBeLessThanOrEqual(60_000);
  });

  test("delivers a burst for 4,000 agents of one type, the messages of each in their order", async () => {
    const lab = await startedLab();
    const seen = new Map<string, string[]>();
    const burst = keepFor(lab, "busy", 4_000, 2);
    let ended = 0;
    await lab.until(() => {
      for (const call of lab.calls.rest.slice(ended)) {
        seen.set(call.agent.key, [...(seen.get(call.agent.key) ?? []), call.id]);
        call.end(handled);
      }
      ended = lab.calls.rest.length;
      return lab.courier.counters.mailDelivered === 8_000;
    }, 10);
    await burst;
    expect([...seen.values()].every((ids) => ids.join() === "1,2")).toBe(true);
    expect(await lab.memory.mail({ limit: 1 })).toEqual([]);
  });
});

describe("a courier whose agents come and go by chance", () => {
  test.each([1, 2, 3, 4, 5, 6])(
    "delivers each message once, those of an agent in their order (seed %i)",
    async (seed) => {
      const random = seededRandom(seed);
      const below = (count: number) => Math.floor(random.next() * count);
      const lab = await startedLab();
      const away = new Set<string>();
      let isOver = false;
      lab.isServed = (agentType) => !away.has(agentType);
      const seen = noteHandled(lab, ({ agent: { type } }) => {
        if (away.has(type)) return failed("undeliverable");
        return isOver || random.next() < 0.7
          ? handled
          : failed(random.next() < 0.9 ? "undeliverable" : "state-unavailable");
      });
      const sent = new Map<string, string[]>();
      const types = Array.from({ length: 6 }, (_, index) => `t${index}`);
      for (let step = 0; step < 6_000; step += 1) {
        const key = `${types[below(types.length)]}:${below(600)}${long}`;
        const ids = sent.get(key) ?? [];
        sent.set(key, ids);
        ids.push(String(step));
        await lab.keep(key, String(step));
        if (below(100) === 0) {
          const type = types[below(types.length)] ?? "";
          if (!away.delete(type)) away.add(type);
        }
        if (below(4) === 0) lab.clock.advance(below(200));
        if (below(50) === 0) await pass(lab, 5_000, 500);
      }
      away.clear();
      isOver = true;
      await lab.until(() => lab.courier.counters.mailDelivered === 6_000);
      await lab.until(() => !lab.busy);
      expect(seen).toEqual(sent);
      expect(await lab.memory.mail({ limit: 1 })).toEqual([]);
      await turn();
      expect(lab.clock.pendingTimers).toBeLessThan(5);
    },
  );
});

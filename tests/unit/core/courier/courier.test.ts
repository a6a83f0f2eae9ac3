import { describe, expect, test } from "vitest";
import type { CourierOutcome } from "../../../../src/core/courier/courier-call.ts";
import { type KeptMessage, TroupeError } from "../../../../src/core/internal.ts";
import { type AgentName, MemoryStateStore, StoreError } from "../../../../src/storage/index.ts";
import { ManualClock } from "../../../../src/testing/index.ts";
import { frame, handled, Lab, startMs, turn } from "./courier-lab.ts";

const sum = (numbers: readonly number[]): number => numbers.reduce((total, one) => total + one, 0);

function failed(code: "handler-failed" | "undeliverable"): CourierOutcome {
  return { at: "failed", error: new TroupeError(code, "text") };
}

describe("a courier that delivers mail", () => {
  test("has one message of a mailbox under way, and other mailboxes do not wait for it", async () => {
    const lab = await Lab.started();
    for (const id of ["1", "2"]) await lab.keep("x", id);
    await lab.keep("y", "3");
    const [first, other] = await lab.calls.takeMany(2);
    expect([first?.id, other?.id]).toEqual(["1", "3"]);
    expect(lab.calls.rest).toEqual([]);
    first?.end(handled);
    expect((await lab.calls.take()).id).toBe("2");
  });

  test("has at most 1,000 calls under way, of mail and reminders together", async () => {
    const lab = await Lab.started();
    lab.typeOf = (key) => key;
    for (let index = 0; index < 700; index += 1) {
      await lab.keep(`m${index}`, "1");
      await lab.remind(`r${index}`, "one", 1);
    }
    await lab.until(() => lab.calls.rest.length === 1_000, 10);
    for (let round = 0; round < 5; round += 1) {
      lab.clock.advance(1_000);
      await turn();
    }
    expect(lab.mostUnderWay).toBe(1_000);
    for (let count = 0; count < 1_400; count += 1) (await lab.calls.take()).end(handled);
    await lab.until(() => lab.courier.counters.remindersFired === 700 && lab.courier.counters.mailDelivered === 700);
    expect(lab.mostUnderWay).toBe(1_000);
  });

  test("gets through when more messages wait for a retry than fit into memory, in their order", async () => {
    const lab = await Lab.started();
    const seen = new Map<string, string[]>();
    let isThere = false;
    lab.answer = ({ agent: { key }, id }) => {
      if (key.startsWith("away") && !isThere) return failed("undeliverable");
      seen.set(key, [...(seen.get(key) ?? []), id]);
      return handled;
    };
    // Each of these fills the window of the log with heads that wait; one has far more messages than stay in memory.
    for (let index = 0; index < 1_500; index += 1) await lab.keep(`away${index}`, "1");
    for (let index = 0; index < 300; index += 1) await lab.keep("away", `n${index}`);
    for (let index = 0; index < 100; index += 1) await lab.keep("here", `n${index}`);
    const ids = (count: number) => Array.from({ length: count }, (_, index) => `n${index}`);
    await lab.until(() => seen.get("here")?.length === 100);
    expect(seen.get("here")).toEqual(ids(100));
    expect([...seen.keys()]).toEqual(["here"]);
    isThere = true;
    await lab.until(() => lab.courier.counters.mailDelivered === 1_900);
    expect(seen.get("away")).toEqual(ids(300));
    expect((await lab.memory.mail({ limit: 1 })).length).toBe(0);
  });

  test("is busy from the moment in which a message is kept until it is settled, and not while one waits for a retry", async () => {
    const lab = await Lab.started();
    const kept = lab.keep("x", "1");
    expect(lab.busy).toBe(true);
    await kept;
    const call = await lab.calls.take();
    expect(lab.busy).toBe(true);
    call.end(failed("handler-failed"));
    await turn();
    expect(lab.busy).toBe(false);
    lab.clock.advance(1_000);
    const again = await lab.calls.take();
    expect([again.attempt, lab.busy]).toEqual([2, true]);
    again.end(handled);
    await turn();
    expect(lab.busy).toBe(false);
    const mail = { id: "2", receiver: { type: "a", key: "x" }, kind: "call", frame } as const;
    const committed = lab.commit({ mail: [mail] });
    expect(lab.busy).toBe(true);
    await committed;
    (await lab.calls.take()).end(handled);
    await turn();
    expect(lab.busy).toBe(false);
  });

  test("settles again and again while the store does not answer, and delivers nothing twice", async () => {
    const lab = await Lab.started();
    lab.answer = () => handled;
    const settle = lab.memory.settle.bind(lab.memory);
    const drop = new StoreError("unavailable", "the store is away");
    const table = Object.getOwnPropertyDescriptor(lab.memory, "settle");
    expect(table).toBeUndefined();
    await lab.remind("x", "one", 1_000);
    lab.memory.settle = () => Promise.reject(drop);
    await lab.until(() => lab.courier.counters.remindersFired === 1, 100);
    await lab.until(() => lab.logger.texts("error").length >= 3);
    lab.memory.settle = settle;
    let left = 1;
    await lab.until(() => {
      void lab.memory.reminders({ type: "a", key: "x" }).then((all) => {
        left = all.length;
      });
      return left === 0;
    });
    expect(lab.courier.counters.remindersFired).toBe(1);
  });

  test("delivers 32 messages of a mailbox ahead of a log that is slow to settle them, and no more", async () => {
    const clock = new ManualClock(startMs);
    const memory = new MemoryStateStore({ clock });
    const [settling, slow] = [[] as (() => void)[], memory.log];
    const take = slow.take.bind(slow);
    slow.take = async (...shard) => {
      const hold = await take(...shard);
      const settle = async (message: KeptMessage) => {
        await new Promise<void>((resolve) => settling.push(resolve));
        return hold.settle(message);
      };
      return { settle, leave: () => hold.leave() };
    };
    const lab = await Lab.started({ clock, memory });
    lab.answer = () => handled;
    for (let id = 0; id < 40; id += 1) await lab.keep("x", `${id}`);
    await lab.keep("y", "of another mailbox");
    for (let turns = 0; turns < 100; turns += 1) await turn();
    expect([lab.courier.counters.mailDelivered, settling.length]).toEqual([33, 33]);
    settling.shift()?.();
    await lab.until(() => lab.courier.counters.mailDelivered === 34, 1);
    await lab.until(() => {
      for (const written of settling.splice(0)) written();
      return lab.courier.counters.mailDelivered === 41;
    }, 1);
    expect((await lab.memory.mail({ limit: 1 })).length).toBe(0);
  });

  test("ends when another process has taken the store", async () => {
    const lab = await Lab.started();
    await lab.keep("x", "1");
    const call = await lab.calls.take();
    const other = await Lab.started({ clock: lab.clock, memory: await takenOver(lab.memory) });
    call.end(handled);
    await lab.until(() => lab.logger.texts("error").some((text) => text.includes("lost")));
    await lab.remind("x", "one", 1_000).catch(() => undefined);
    const again = await other.calls.take();
    expect(again.id).toBe("1");
    again.end(handled);
    await other.until(() => other.courier.counters.mailDelivered === 1);
    expect(lab.calls.rest).toEqual([]);
  });

  test("drops the mail of an agent that is deleted", async () => {
    const lab = await Lab.started();
    const agent: AgentName = { type: "a", key: "x" };
    for (const id of ["1", "2", "3"]) await lab.keep("x", id);
    const call = await lab.calls.take();
    await lab.commit({ agent, write: { at: "delete" } });
    expect(call.isWithdrawn).toBe(true);
    await turn();
    await lab.keep("x", "4");
    expect((await lab.calls.take()).id).toBe("4");
  });
});

async function takenOver(memory: MemoryStateStore): Promise<MemoryStateStore> {
  const other = memory.reopen();
  const open = other.open.bind(other);
  other.open = () => open({ takesOver: true });
  return other;
}

describe("a courier that fires reminders", () => {
  test("notices within 30 s that the wall clock was set, and fires nothing early when it goes back", async () => {
    const lab = await Lab.started();
    const real = lab.clock.wallNow.bind(lab.clock);
    let steppedMs = 0;
    lab.clock.wallNow = () => real() + steppedMs;
    await lab.remind("x", "one", 3_600_000);
    steppedMs = -7_200_000;
    await lab.until(() => real() >= startMs + 3_700_000, 10_000);
    expect(lab.calls.rest).toEqual([]);
    steppedMs = 0;
    const beforeMs = real();
    await lab.until(() => lab.calls.rest.length === 1);
    expect(real() - beforeMs).toBeLessThanOrEqual(31_000);
  });

  test("fires reminders that are due far away, more than fit into one reading, each once", async () => {
    const lab = await Lab.started();
    const fired: string[] = [];
    lab.answer = ({ agent: { key }, reminder }) => {
      expect(lab.clock.wallNow()).toBeGreaterThanOrEqual(reminder?.dueAt.getTime() ?? 0);
      fired.push(key);
      return handled;
    };
    for (let index = 0; index < 2_500; index += 1) await lab.remind(String(index), "one", 600_000 + (index % 7));
    await lab.until(() => lab.courier.counters.remindersFired === 2_500, 5_000);
    expect(new Set(fired).size).toBe(2_500);
  });

  test("reads each of 5,000 reminders that are due at once about once", async () => {
    const lab = await Lab.started();
    lab.answer = () => handled;
    const due = lab.memory.due.bind(lab.memory);
    const pages: number[] = [];
    lab.memory.due = async (query) => {
      const page = await due(query);
      pages.push(page.length);
      return page;
    };
    for (let index = 0; index < 5_000; index += 1) await lab.remind(String(index), "one", 600_000);
    await lab.until(() => lab.clock.wallNow() >= startMs + 595_000, 5_000);
    // Those that wait longer than a second for a slot of their type are postponed, and read again.
    await lab.until(() => lab.courier.counters.remindersFired === 5_000, 5);
    expect(sum(pages)).toBeLessThanOrEqual(5_500);
  });

  test("does not read thousands that wait for busy agents again, whenever another one is set", async () => {
    const lab = await Lab.started();
    const due = lab.memory.due.bind(lab.memory);
    let read = 0;
    lab.memory.due = async (query) => {
      const page = await due(query);
      read += page.length;
      return page;
    };
    for (let index = 0; index < 5_000; index += 1) await lab.remind(String(index), "one", 60_000);
    await lab.until(() => lab.clock.wallNow() >= startMs + 65_000);
    lab.typeOf = (key) => key;
    read = 0;
    const setMs = lab.clock.now();
    for (let index = 0; index < 20; index += 1) {
      await lab.remind(`quick ${index}`, "one", 5_000);
      lab.clock.advance(200);
      await turn();
    }
    // All are read once in 30 s, and those that are postponed meanwhile.
    expect(read).toBeLessThanOrEqual(25_000);
    lab.answer = () => handled;
    await lab.until(() => lab.courier.counters.remindersFired === 20, 100);
    expect(lab.clock.now() - setMs).toBeLessThanOrEqual(20 * 200 + 5_100);
  });

  test("fires a reminder in time that is set while later ones are read in parts", async () => {
    const lab = await Lab.started();
    lab.answer = () => handled;
    for (let index = 0; index < 3_000; index += 1) await lab.remind(String(index), "one", 600_000 + index * 20);
    await lab.until(() => lab.clock.wallNow() >= startMs + 590_000);
    await lab.remind("early", "one", 5_000);
    await lab.until(() => lab.clock.wallNow() >= startMs + 596_000);
    expect(lab.courier.counters.remindersFired).toBe(1);
  });

  test("does not let an agent that is busy keep back the reminders of others", async () => {
    const lab = await Lab.started();
    for (let index = 0; index < 1_000; index += 1) await lab.remind("busy", `r${index}`, 1_000);
    for (const key of ["other", "third"]) await lab.remind(key, "one", 2_000);
    const keys = new Set<string>();
    await lab.until(() => {
      for (const call of lab.calls.rest) keys.add(call.agent.key);
      return keys.size === 3;
    });
    expect(lab.calls.rest.filter(({ agent }) => agent.key === "busy").length).toBe(1);
  });

  test("holds at most 16 MiB of messages, and fires all of them", async () => {
    const lab = await Lab.started();
    lab.answer = () => handled;
    const long = new Uint8Array(64 * 1_024);
    for (let index = 0; index < 600; index += 1) await lab.remind(String(index), "one", 1_000, long);
    await lab.until(() => lab.courier.counters.remindersFired === 600, 500);
  });

  test("writes the ticks that end while the store writes together, and has read the next ones meanwhile", async () => {
    const lab = await Lab.started();
    lab.typeOf = (key) => key;
    for (let index = 0; index < 2_000; index += 1) await lab.remind(String(index), "one", 1_000);
    lab.answer = () => handled;
    const settle = lab.memory.settle.bind(lab.memory);
    const sizes: number[] = [];
    let release = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    lab.memory.settle = async (done) => {
      sizes.push(done.ticks.length);
      await released;
      return settle(done);
    };
    await lab.until(() => lab.courier.counters.remindersFired === 1_000);
    release();
    // The clock stands still: nothing may wait for a timer.
    for (let turns = 0; turns < 50 && lab.courier.counters.remindersFired < 2_000; turns += 1) await turn();
    expect(lab.courier.counters.remindersFired).toBe(2_000);
    for (let turns = 0; turns < 50 && sum(sizes) < 2_000; turns += 1) await turn();
    expect(sum(sizes)).toBe(2_000);
    expect(sizes.length).toBeLessThanOrEqual(20);
    expect(Math.max(...sizes)).toBe(256);
  });

  test("a tick that the store can't write does not keep back the others", async () => {
    const lab = await Lab.started();
    lab.answer = () => handled;
    const settle = lab.memory.settle.bind(lab.memory);
    let written = 0;
    lab.memory.settle = async (done) => {
      if (done.ticks.some(({ agent }) => agent.key === "bad")) throw new StoreError("unavailable", "not this one");
      written += done.ticks.length;
      return settle(done);
    };
    for (let index = 0; index < 100; index += 1) await lab.remind(index === 50 ? "bad" : `k${index}`, "one", 1_000);
    await lab.until(() => written === 99, 500);
    expect(lab.courier.counters.remindersFired).toBe(100);
    lab.memory.settle = settle;
    const left = () => lab.memory.due({ beforeMs: Number.MAX_SAFE_INTEGER, limit: 10 });
    let count = 1;
    await lab.until(() => {
      void left().then((all) => {
        count = all.length;
      });
      return count === 0;
    });
  });

  test("fires no reminder of an agent that is deleted, and withdraws the tick that is under way", async () => {
    const lab = await Lab.started();
    const agent: AgentName = { type: "a", key: "x" };
    for (const name of ["one", "two"]) await lab.remind("x", name, 1_000);
    // It is read into memory with those of the other agent.
    await lab.remind("y", "three", 20_000);
    await lab.until(() => lab.calls.rest.length > 0);
    const tick = await lab.calls.take();
    await lab.commit({ agent, write: { at: "delete" } });
    expect(tick.isWithdrawn).toBe(true);
    const other = lab.calls.take();
    await lab.until(() => lab.underWay > 0);
    expect((await other).agent.key).toBe("y");
    expect(lab.courier.counters.remindersFired).toBe(0);
  });

  test("withdraws a tick whose reminder is cancelled while it is under way, and fires the one that replaces it", async () => {
    const lab = await Lab.started();
    await lab.remind("k", "one", 1_000);
    await lab.until(() => lab.calls.rest.length === 1, 500);
    const call = await lab.calls.take();
    await lab.remind("k", "one", 5_000);
    expect(call.isWithdrawn).toBe(true);
    await lab.until(() => lab.calls.rest.length === 1, 500);
    expect((await lab.calls.take()).reminder?.dueAt.getTime()).toBeGreaterThanOrEqual(startMs + 6_000);
  });

  test("logs a reminder that it can't read, and goes on with others", async () => {
    const lab = await Lab.started();
    const change = { at: "set", name: "odd", dueMs: startMs + 1, rule: "every 1h", message: frame } as const;
    await lab.commit({ reminders: [change] });
    await lab.remind("x", "one", 1_000);
    await lab.until(() => lab.calls.rest.length === 1, 500);
    expect(lab.logger.texts("error")[0]).toMatch(/The reminder odd of a\/k can't be fired/);
  });
});

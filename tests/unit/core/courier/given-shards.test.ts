import { describe, expect, test } from "vitest";
import { type DurableLog, type Mail, ShardTakenError, StoreError, shardOf } from "../../../../src/core/internal.ts";
import { MemoryStateStore } from "../../../../src/storage/index.ts";
import { ManualClock } from "../../../../src/testing/index.ts";
import { frame, handled, Lab, startMs, turn } from "./courier-lab.ts";

/** Keys of agents whose shards differ. */
const [x, y] = ["x", "y"] as const;
const shardOfKey = (key: string) => shardOf({ type: "a", key });

/** Two processes with one store, whose mail is an outbox, and one log that they share. */
async function world(change: (log: DurableLog) => DurableLog = (log) => log) {
  const clock = new ManualClock(startMs);
  const memory = new MemoryStateStore({ clock });
  const mailboxes = new MemoryStateStore({ clock });
  await mailboxes.open();
  const log = change(mailboxes.log);
  const process = async () => {
    const lab = new Lab({ clock, memory, sharedLog: log });
    // They share the store as those of many writers do.
    await lab.courier.start(1);
    return lab;
  };
  await memory.open();
  const ended: string[] = [];
  let token = 0;
  const give = async (lab: Lab, key: string, name = "") => {
    token += 1;
    await lab.courier.takeShard(shardOfKey(key), { token, lost: [], ended: () => ended.push(name) });
  };
  const untilMoved = async (lab: Lab) => {
    for (;;) {
      if ((await memory.mail({ limit: 1 })).length === 0) return;
      lab.clock.advance(1_000);
      await turn();
    }
  };
  return { clock, memory, mailboxes, log, process, give, ended, untilMoved };
}

function mailTo(key: string, id: string, kind: Mail["kind"] = "call"): Mail {
  return { id, receiver: { type: "a", key }, kind, frame };
}

test("the keys of these tests are of different shards", () => {
  expect(shardOfKey(x)).not.toBe(shardOfKey(y));
});

describe("a courier that is given shards", () => {
  test("delivers what is told to their agents, and nothing of other shards", async () => {
    const { process, give } = await world();
    const [one, two] = [await process(), await process()];
    await give(one, x);
    await two.keep(x, "1");
    await two.keep(y, "2");
    expect(await one.calls.take()).toMatchObject({ id: "1", agent: { key: x } });
    await give(two, y);
    expect(await two.calls.take()).toMatchObject({ id: "2", agent: { key: y } });
    expect([one.calls.rest, two.calls.rest]).toEqual([[], []]);
  });

  test("empties the mailbox of an agent that another process has deleted, and keeps what is told after that", async () => {
    const { process, give, mailboxes, untilMoved } = await world();
    const [one, two] = [await process(), await process()];
    await give(one, x);
    for (const id of ["1", "2", "3"]) await two.keep(x, id);
    const head = await one.calls.take();
    expect(head.id).toBe("1");
    await two.commit({ agent: { type: "a", key: x }, write: { at: "delete" } });
    await two.keep(x, "4");
    await untilMoved(one);
    expect(head.isWithdrawn).toBe(true);
    const next = await one.calls.take();
    expect(next.id).toBe("4");
    next.end(handled);
    await turn();
    expect(await mailboxes.mail({ limit: 10 })).toEqual([]);
  });

  test("moves the mail of commits into the log, in order, whichever process has committed", async () => {
    const { process, give, memory, mailboxes, untilMoved } = await world();
    const [one, two] = [await process(), await process()];
    await two.commit({ mail: [mailTo(x, "1"), mailTo(y, "other"), mailTo(x, "2")] });
    await two.commit({ mail: [mailTo(x, "3")] });
    await give(one, x);
    for (const id of ["1", "2", "3"]) {
      const call = await one.calls.take();
      expect(call.id).toBe(id);
      call.end(handled);
    }
    await turn();
    expect((await memory.mail({ limit: 10 })).map(({ id }) => id)).toEqual(["other"]);
    await give(two, y);
    expect((await two.calls.take()).id).toBe("other");
    await untilMoved(two);
    expect((await mailboxes.mail({ limit: 10 })).map(({ id }) => id)).toEqual(["other"]);
  });

  test("moves what its own process commits at once, and what another one commits when it is told, or within a second", async () => {
    const { process, give, clock } = await world();
    const [one, two] = [await process(), await process()];
    await give(one, x);
    await one.commit({ mail: [mailTo(x, "own")] });
    (await one.calls.take()).end(handled);
    await two.commit({ mail: [mailTo(x, "told")] });
    one.courier.lookAgain();
    (await one.calls.take()).end(handled);
    // The look ends.
    for (let turns = 0; turns < 5; turns += 1) await turn();
    await two.commit({ mail: [mailTo(x, "found")] });
    await turn();
    expect(one.calls.rest).toEqual([]);
    clock.advance(1_000);
    expect((await one.calls.take()).id).toBe("found");
  });

  test("hands a shard over when what is under way has ended, and begins nothing new meanwhile", async () => {
    const { process, give } = await world();
    const [one, two] = [await process(), await process()];
    await give(one, x);
    for (const id of ["1", "2"]) await one.keep(x, id);
    const call = await one.calls.take();
    let isFinished = false;
    const finished = one.courier.finishShard(shardOfKey(x)).then(() => {
      isFinished = true;
    });
    await turn();
    expect(isFinished).toBe(false);
    call.end(handled);
    await finished;
    expect(one.calls.rest).toEqual([]);
    one.courier.dropShard(shardOfKey(x));
    await give(two, x);
    expect((await two.calls.take()).id).toBe("2");
    expect(two.calls.rest).toEqual([]);
  });

  test("delivers a message again at the next owner when the first one was dropped with it", async () => {
    const { process, give } = await world();
    const [one, two] = [await process(), await process()];
    await give(one, x);
    await one.keep(x, "1");
    const call = await one.calls.take();
    one.courier.dropShard(shardOfKey(x));
    await give(two, x);
    const again = await two.calls.take();
    expect(again.id).toBe("1");
    // Its outcome at the first one counts for nothing.
    call.end(handled);
    await turn();
    again.end(handled);
    await turn();
    expect([one.courier.counters.mailDelivered, two.courier.counters.mailDelivered]).toEqual([0, 1]);
  });

  test("says that a reading has ended when another process has taken the shard", async () => {
    const { process, give, ended } = await world();
    const [one, two] = [await process(), await process()];
    await give(one, x, "one");
    await give(two, x, "two");
    expect(ended).toEqual(["one"]);
    await one.keep(x, "1");
    expect((await two.calls.take()).id).toBe("1");
    expect(one.calls.rest).toEqual([]);
  });

  test("fires the reminders of its shards alone, also those that another process has set", async () => {
    const { process, give, clock } = await world();
    const [one, two] = [await process(), await process()];
    await give(one, x);
    await give(two, y);
    await one.remind(x, "own", 5_000);
    await one.remind(y, "other", 5_000);
    two.courier.lookAgain();
    await turn();
    clock.advance(200);
    await turn();
    clock.advance(5_000);
    const [fired, firedToo] = [await one.calls.take(), await two.calls.take()];
    expect([fired.reminder?.name, firedToo.reminder?.name]).toEqual(["own", "other"]);
    let isFinished = false;
    const finished = one.courier.finishShard(shardOfKey(x)).then(() => {
      isFinished = true;
    });
    await turn();
    expect(isFinished).toBe(false);
    fired.end(handled);
    await finished;
    expect([one.calls.rest, two.calls.rest]).toEqual([[], []]);
  });

  test("fires no reminder of a shard that it has given away", async () => {
    const { process, give, clock } = await world();
    const [one, two] = [await process(), await process()];
    await give(one, x);
    await one.remind(x, "later", 10_000);
    clock.advance(200);
    await turn();
    one.courier.dropShard(shardOfKey(x));
    await give(two, x);
    clock.advance(200);
    await turn();
    clock.advance(10_000);
    expect((await two.calls.take()).reminder?.name).toBe("later");
    expect(one.calls.rest).toEqual([]);
  });

  test("makes a message a dead letter that ten lost hosts may have had", async () => {
    const { process, log } = await world();
    const one = await process();
    await one.keep(x, "poison");
    const lost = [{ upTo: 1_000, count: 10 }];
    await one.courier.takeShard(shardOfKey(x), { token: 1, lost, ended: () => undefined });
    await one.until(() => one.courier.counters.deadLetters === 1);
    const [letter] = (await log.deadLetters({ limit: 1 })).letters;
    expect(letter).toMatchObject({ id: "poison", why: { code: "too-many-takeovers" } });
    expect(one.calls.rest).toEqual([]);
  });

  test("tells the owner of a shard the token of another reader that has it", async () => {
    const { process } = await world((log) => {
      const take: DurableLog["take"] = async (shard, token, ...rest) => {
        if (token < 9) throw new ShardTakenError("Another host reads this shard.", 8);
        return await log.take(shard, token, ...rest);
      };
      return Object.assign(Object.create(log) as DurableLog, { take });
    });
    const one = await process();
    const told: (number | undefined)[] = [];
    const give = (token: number) =>
      one.courier.takeShard(shardOfKey(x), { token, lost: [], ended: (taken) => told.push(taken) });
    await give(7);
    expect(told).toEqual([8]);
    await give(9);
    expect(told).toEqual([8]);
  });

  test("keeps mail that the log does not take now in the store, and moves it when it does, once", async () => {
    let isAway = true;
    const { process, give, untilMoved } = await world((log) =>
      failing(log, () => (isAway ? "unavailable" : undefined)),
    );
    const one = await process();
    await give(one, x);
    await one.commit({ mail: [mailTo(x, "1"), mailTo(x, "2")] });
    await one.until(() => one.logger.texts("error").length > 0);
    expect(one.calls.rest).toEqual([]);
    isAway = false;
    await untilMoved(one);
    (await one.calls.take()).end(handled);
    expect((await one.calls.take()).id).toBe("2");
    expect(one.calls.rest).toEqual([]);
  });

  test("leaves a message that the log never takes in the store, with those behind it to its agent, and moves others", async () => {
    const { process, give, memory } = await world((log) =>
      failing(log, ({ id }) => (id === "long" ? "too-large" : undefined)),
    );
    const one = await process();
    await give(one, x);
    await give(one, y);
    await one.commit({ mail: [mailTo(x, "long"), mailTo(x, "behind"), mailTo(y, "1")] });
    expect((await one.calls.take()).id).toBe("1");
    await turn();
    expect((await memory.mail({ limit: 10 })).map(({ id }) => id)).toEqual(["long", "behind"]);
    expect(one.logger.texts("error").join()).toContain("stays in the state store");
  });

  test("lets calls wait for a full mailbox in the store, and makes events dead letters", async () => {
    const { process, give, memory, log } = await world((inner) => full(inner));
    const one = await process();
    await give(one, x);
    await one.commit({ mail: [mailTo(x, "call")] });
    await turn();
    await one.commit({ agent: { type: "a", key: y }, mail: [mailTo(y, "event", "event")] });
    await give(one, y);
    const letters = async () => (await log.deadLetters({ limit: 10 })).letters;
    while ((await memory.mail({ limit: 10 })).length > 1) {
      one.clock.advance(1_000);
      await turn();
    }
    expect((await letters()).map(({ id, why }) => [id, why.code])).toEqual([["event", "mailbox-full"]]);
    expect((await memory.mail({ limit: 10 })).map(({ id }) => id)).toEqual(["call"]);
  });
});

/** A log that fails to append some messages. */
function failing(
  log: DurableLog,
  codeOf: (message: { id: string }) => "unavailable" | "too-large" | undefined,
): DurableLog {
  return changed(log, async (mailbox, message) => {
    const code = codeOf(message);
    if (code !== undefined) throw new StoreError(code, "the log does not take it");
    return await log.append(mailbox, message);
  });
}

function full(log: DurableLog): DurableLog {
  return changed(log, async () => "full");
}

function changed(log: DurableLog, append: DurableLog["append"]): DurableLog {
  return new Proxy(log, {
    get: (target, name) => {
      if (name === "append") return append;
      // The methods of the log use its private fields.
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

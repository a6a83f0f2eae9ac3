// Over 400 lines: each case is one promise of the log, and all read it in the same way.
import { deepEqual, equal, ok } from "node:assert/strict";
import {
  type AgentName,
  type DeadReason,
  type DurableLog,
  type KeptMessage,
  type ShardHold,
  type StateStore,
  type StoreError,
  shardOf,
} from "../../../core/internal.ts";
import { agent, bytesOf, commitOf, committed, type StoreCase, type StoreLab, textOf } from "./store-case.ts";

const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;
const other: AgentName = { type: "b", key: "k" };
/** As `storeLimits` has it. */
const mostLettersBytes = 64 * 1024 * 1024;
const why: DeadReason = { code: "handler-failed", text: "it threw", attempts: 5 };

function messageOf(lab: StoreLab, id: string) {
  return { id, kind: "call", frame: bytesOf(`frame of ${id}`), sentAtMs: lab.clock.wallNow() } as const;
}

/** The log of a store. A store without one passes these cases without being asked. */
async function openLog(lab: StoreLab): Promise<{ store: StateStore; log: DurableLog } | undefined> {
  const store = await lab.open();
  return store.log === undefined ? undefined : { store, log: store.log };
}

/** Reads one mailbox's shard, and waits for messages. */
class Reading {
  readonly messages: KeptMessage[] = [];
  lost: StoreError | undefined;
  hold: ShardHold | undefined;
  #onChange: () => void = () => undefined;

  static async of(log: DurableLog, token = 1, mailbox = agent): Promise<Reading> {
    const reading = new Reading();
    reading.hold = await log.take(shardOf(mailbox), token, {
      onMessage: (message) => {
        reading.messages.push(message);
        reading.#onChange();
      },
      onLost: (error) => {
        reading.lost = error;
      },
    });
    return reading;
  }

  get ids(): readonly string[] {
    return this.messages.map(({ id }) => id);
  }

  async has(count: number): Promise<readonly KeptMessage[]> {
    while (this.messages.length < count) {
      await new Promise<void>((resolve) => {
        this.#onChange = resolve;
      });
    }
    return this.messages;
  }

  async settle(index: number): Promise<"settled" | "lost"> {
    const message = this.messages[index];
    ok(message !== undefined && this.hold !== undefined);
    return this.hold.settle(message);
  }
}

/** Resolves when the log has handed over all that was kept before: a message of another mailbox of the shard is the last. */
async function handedOver(lab: StoreLab, log: DurableLog, reading: Reading): Promise<void> {
  const last = { type: agent.type, key: keyInShard(shardOf(agent)) };
  const id = `last ${reading.messages.length} ${lab.clock.wallNow()} ${Math.random()}`;
  await log.append(last, messageOf(lab, id));
  while (!reading.ids.includes(id)) await reading.has(reading.messages.length + 1);
}

function keyInShard(shard: number): string {
  for (let index = 0; ; index += 1)
    if (shardOf({ type: agent.type, key: `last ${index}` }) === shard) return `last ${index}`;
}

function idsOf(reading: Reading): readonly string[] {
  return reading.ids.filter((id) => !id.startsWith("last"));
}

const mailboxCases: readonly StoreCase[] = [
  {
    promise: "a reader gets the messages of its shard in order, those that were kept before and later ones",
    tryIt: async (lab) => {
      const opened = await openLog(lab);
      if (opened === undefined) return;
      const { store, log } = opened;
      equal(await log.append(agent, messageOf(lab, "1")), "kept");
      await committed(store, commitOf({ mail: [{ id: "2", receiver: agent, kind: "call", frame: bytesOf("2") }] }));
      const reading = await Reading.of(log);
      await reading.has(2);
      equal(await log.append(agent, messageOf(lab, "3")), "kept");
      await committed(store, commitOf({ mail: [{ id: "4", receiver: agent, kind: "event", frame: bytesOf("4") }] }));
      const messages = await reading.has(4);
      deepEqual(reading.ids, ["1", "2", "3", "4"]);
      const [first, , , fourth] = messages;
      ok(first !== undefined && first.place > 0);
      const sentAtMs = lab.clock.wallNow();
      deepEqual(first, {
        ...{ id: "1", kind: "call", frame: bytesOf("frame of 1"), sentAtMs, mailbox: agent },
        ...{ place: first.place, priorTakeovers: 0 },
      });
      equal(fourth?.kind, "event");
    },
  },
  {
    promise: "a message that was settled does not come again; one that was not comes to the next reader",
    tryIt: async (lab) => {
      const opened = await openLog(lab);
      if (opened === undefined) return;
      for (const id of ["1", "2", "3"]) await opened.log.append(agent, messageOf(lab, id));
      const reading = await Reading.of(opened.log);
      await reading.has(3);
      equal(await reading.settle(1), "settled");
      const again = await lab.reopen(opened.store);
      ok(again.log !== undefined);
      const next = await Reading.of(again.log);
      await handedOver(lab, again.log, next);
      deepEqual(idsOf(next), ["1", "3"]);
    },
  },
  {
    promise: "a reader that takes a shard ends the one before, which settles nothing any more",
    tryIt: async (lab) => {
      const opened = await openLog(lab);
      if (opened === undefined) return;
      const { log } = opened;
      await log.append(agent, messageOf(lab, "1"));
      const first = await Reading.of(log, 1);
      await first.has(1);
      const second = await Reading.of(log, 2);
      equal(first.lost?.storeCode, "fenced");
      equal(await first.settle(0), "lost");
      await second.has(1);
      equal(await second.settle(0), "settled");
    },
  },
  {
    promise: "a mailbox knows the ids of the last 10 minutes, also of messages that were settled",
    tryIt: async (lab) => {
      const opened = await openLog(lab);
      if (opened === undefined) return;
      const { log } = opened;
      const reading = await Reading.of(log);
      equal(await log.append(agent, messageOf(lab, "1")), "kept");
      equal(await log.append(agent, messageOf(lab, "1")), "known");
      equal(await log.append(other, messageOf(lab, "1")), "kept");
      await reading.has(1);
      await reading.settle(0);
      lab.clock.advance(10 * minuteMs - 1);
      equal(await log.append(agent, messageOf(lab, "1")), "known");
      lab.clock.advance(1);
      equal(await log.append(agent, messageOf(lab, "1")), "kept");
    },
  },
  {
    promise: "a mailbox takes 10,000 messages; a commit with one more is refused",
    tryIt: async (lab) => {
      const opened = await openLog(lab);
      if (opened === undefined) return;
      const { store, log } = opened;
      const frame = bytesOf("x");
      const mailOf = (count: number) =>
        Array.from(
          { length: count },
          (_, index) => ({ id: `m${index}`, receiver: agent, kind: "call", frame }) as const,
        );
      await committed(store, commitOf({ mail: mailOf(9_999) }));
      equal(await log.append(agent, messageOf(lab, "1")), "kept");
      equal(await log.append(agent, messageOf(lab, "2")), "full");
      const [outcome] = await store.commit([commitOf({ mail: mailOf(1) })]);
      equal(outcome?.at, "refused");
      await committed(store, commitOf({ mail: [{ id: "1", receiver: other, kind: "call", frame }] }));
      equal(await log.append(other, messageOf(lab, "2")), "kept");
    },
  },
  {
    promise: "a reader has at most 1,000 unsettled messages, and gets more when it settles some",
    tryIt: async (lab) => {
      const opened = await openLog(lab);
      if (opened === undefined) return;
      const { store, log } = opened;
      const frame = bytesOf("x");
      const mail = Array.from({ length: 1_100 }, (_, index) => {
        return { id: String(index), receiver: agent, kind: "call", frame } as const;
      });
      await committed(store, commitOf({ mail }));
      const reading = await Reading.of(log);
      await reading.has(1_000);
      for (let index = 0; index < 100; index += 1) {
        equal(reading.messages.length, 1_000 + index);
        await reading.settle(index);
        await reading.has(1_001 + index);
      }
      deepEqual(
        reading.ids,
        mail.map(({ id }) => id),
      );
    },
  },
  {
    promise: "messages that were spilled do not come to the reader, and are read back in order",
    tryIt: async (lab) => {
      const opened = await openLog(lab);
      if (opened === undefined) return;
      const { log } = opened;
      const shard = shardOf(agent);
      for (const id of ["1", "2", "3"]) await log.append(agent, messageOf(lab, id));
      const reading = await Reading.of(log);
      const [, second] = await reading.has(3);
      ok(second !== undefined);
      await log.spill(shard, agent, second);
      deepEqual(await log.spilled(shard), [agent]);
      await log.append(agent, messageOf(lab, "4"));
      await handedOver(lab, log, reading);
      deepEqual(idsOf(reading), ["1", "2", "3"]);
      const back: string[] = [];
      for await (const message of log.unspill(shard, agent)) {
        back.push(message.id);
        if (back.length === 2) break;
      }
      deepEqual(back, ["2", "3"]);
      await log.append(agent, messageOf(lab, "5"));
      for await (const message of log.unspill(shard, agent)) back.push(message.id);
      deepEqual(back, ["2", "3", "4", "5"]);
      deepEqual(await log.spilled(shard), []);
      await log.append(agent, messageOf(lab, "6"));
      await handedOver(lab, log, reading);
      deepEqual(idsOf(reading), ["1", "2", "3", "6"]);
    },
  },
  {
    promise: "messages that a reader passes stay in their mailbox, and are read back once it is spilled as a whole",
    tryIt: async (lab) => {
      const opened = await openLog(lab);
      if (opened === undefined) return;
      const { log } = opened;
      const shard = shardOf(agent);
      for (const id of ["1", "2", "3"]) await log.append(agent, messageOf(lab, id));
      const reading = await Reading.of(log);
      const [first, second] = await reading.has(3);
      ok(first !== undefined && second !== undefined);
      await log.spill(shard, agent, second);
      await log.pass(shard, agent, [first]);
      deepEqual(await log.spilled(shard), []);
      deepEqual(
        (await log.receivers(-1)).map(({ mailbox }) => mailbox),
        [agent, agent, agent],
      );
      await log.spill(shard, agent, { place: 0 });
      const back: string[] = [];
      for await (const message of log.unspill(shard, agent)) back.push(message.id);
      deepEqual(back, ["1", "2", "3"]);
    },
  },
];

const letterCases: readonly StoreCase[] = [
  {
    promise: "a message that was buried is a dead letter, and in its mailbox no more",
    tryIt: async (lab) => {
      const opened = await openLog(lab);
      if (opened === undefined) return;
      await opened.log.append(agent, messageOf(lab, "1"));
      const sentAtMs = lab.clock.wallNow();
      const [message] = await (await Reading.of(opened.log)).has(1);
      ok(message !== undefined);
      lab.clock.advance(7);
      await opened.log.bury(message, why);
      await opened.log.bury(message, why);
      const again = await lab.reopen(opened.store);
      ok(again.log !== undefined);
      deepEqual(await again.mail({ limit: 10 }), []);
      const { letters, isLast } = await again.log.deadLetters({ limit: 10 });
      const [letter] = letters;
      ok(letter !== undefined && letters.length === 1 && isLast);
      const { letter: name, ...fields } = letter;
      ok(name.length > 0);
      deepEqual(fields, {
        ...{ id: "1", kind: "call", frame: bytesOf("frame of 1"), sentAtMs, mailbox: agent },
        ...{ place: message.place, priorTakeovers: 0, why, diedAtMs: sentAtMs + 7 },
      });
    },
  },
  {
    promise:
      "lists dead letters by their mailbox and in pages that are bounded in bytes, shows one alone, and drops them",
    tryIt: async (lab) => {
      const opened = await openLog(lab);
      if (opened === undefined) return;
      const { log } = opened;
      for (let index = 0; index < 5; index += 1) {
        const mailbox = index === 2 ? other : agent;
        const message = { ...messageOf(lab, String(index)), mailbox, place: 0, priorTakeovers: 0 };
        await log.bury(message, why);
      }
      const idsIn = async (query: Parameters<DurableLog["deadLetters"]>[0]) => {
        const { letters, isLast } = await log.deadLetters(query);
        return { ids: letters.map(({ id }) => id), last: letters.at(-1)?.letter, isLast };
      };
      deepEqual((await idsIn({ limit: 10 })).ids, ["0", "1", "2", "3", "4"]);
      deepEqual((await idsIn({ limit: 10, mailbox: other })).ids, ["2"]);
      const page = await idsIn({ limit: 3, mailbox: agent });
      deepEqual([page.ids, page.isLast], [["0", "1", "3"], false]);
      const rest = await idsIn({ limit: 3, mailbox: agent, after: page.last });
      deepEqual([rest.ids, rest.isLast], [["4"], true]);
      const alone = await idsIn({ limit: 10, letter: page.last });
      deepEqual([alone.ids, alone.isLast], [["3"], true]);
      deepEqual((await idsIn({ limit: 10, letter: "unknown" })).ids, []);
      const frameBytes = messageOf(lab, "0").frame.length;
      const short = await idsIn({ limit: 10, maxBytes: 2 * frameBytes });
      deepEqual([short.ids, short.isLast], [["0", "1"], false]);
      const one = await idsIn({ limit: 10, after: short.last, maxBytes: 1 });
      deepEqual([one.ids, one.isLast], [["2"], false]);
      equal(await log.drop([page.last ?? "", "unknown"]), 1);
      deepEqual((await idsIn({ limit: 10 })).ids, ["0", "1", "2", "4"]);
    },
  },
  {
    promise: "a dead letter that is replayed is the newest message of its mailbox",
    tryIt: async (lab) => {
      const opened = await openLog(lab);
      if (opened === undefined) return;
      const { log } = opened;
      await log.append(agent, messageOf(lab, "1"));
      const reading = await Reading.of(log);
      const [message] = await reading.has(1);
      ok(message !== undefined);
      await log.bury(message, why);
      await log.append(agent, messageOf(lab, "2"));
      lab.clock.advance(dayMs);
      const [letter] = (await log.deadLetters({ limit: 1 })).letters;
      ok(letter !== undefined);
      equal(await log.replay([letter.letter]), 1);
      equal(await log.replay([letter.letter]), 0);
      const [, second, replayed] = await reading.has(3);
      ok(second !== undefined && replayed !== undefined);
      deepEqual([second.id, replayed.id, textOf(replayed.frame)], ["2", "1", "frame of 1"]);
      ok(replayed.place > second.place);
      equal(replayed.sentAtMs, lab.clock.wallNow());
      deepEqual((await log.deadLetters({ limit: 1 })).letters, []);
    },
  },
  {
    promise: "forgets a dead letter after 30 days",
    tryIt: async (lab) => {
      const opened = await openLog(lab);
      if (opened === undefined) return;
      let { store } = opened;
      await opened.log.bury({ ...messageOf(lab, "1"), mailbox: agent, place: 0, priorTakeovers: 0 }, why);
      for (const [waitMs, count] of [
        [30 * dayMs - 1, 1],
        [1, 0],
      ] as const) {
        // A closed store has no timers, of which a month would run very many.
        await store.close();
        lab.clock.advance(waitMs);
        store = await lab.reopen(store);
        equal((await store.log?.deadLetters({ limit: 1 }))?.letters.length, count);
      }
    },
  },
  {
    promise: "forgets the oldest dead letters of the agent types that have the most, when all have more than 64 MiB",
    tryIt: async (lab) => {
      const opened = await openLog(lab);
      if (opened === undefined) return;
      const { log } = opened;
      const large = new Uint8Array(mostLettersBytes / 16);
      const bury = (type: string, id: string, frame: Uint8Array) => {
        const message = { id, kind: "call", frame, sentAtMs: lab.clock.wallNow() } as const;
        return log.bury({ ...message, mailbox: { type, key: "k" }, place: 0, priorTakeovers: 0 }, why);
      };
      // Older than all others, of a type that has little.
      await bury("quiet", "first", bytesOf("small"));
      let forgotten = 0;
      for (let index = 0; index < 20; index += 1) forgotten += await bury("noisy", String(index), large);
      const ids: string[] = [];
      for (let after: string | undefined, isLast = false; !isLast; ) {
        const page = await log.deadLetters({ limit: 10, maxBytes: large.length, after });
        ids.push(...page.letters.map(({ id }) => id));
        after = page.letters.at(-1)?.letter;
        ({ isLast } = page);
      }
      ok(forgotten > 0 && ids.includes("first") && ids.includes("19") && !ids.includes("0"));
      equal(ids.length, 21 - forgotten);
      // A store may look at the bound after each 16th part of it.
      ok(ids.length <= 1 + 17);
      equal(await bury("quiet", "second", bytesOf("small")), 0);
    },
  },
];

/** The log of mailboxes, of stores that have one. */
export const logCases: readonly StoreCase[] = [...mailboxCases, ...letterCases];

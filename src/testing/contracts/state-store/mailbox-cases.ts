import { deepEqual, equal, ok } from "node:assert/strict";
import { type Mail, shardOf } from "../../../core/internal.ts";
import { handedOver, idsOf, messageOf, minuteMs, openLog, other, Reading } from "./log-reading.ts";
import { agent, bytesOf, commitOf, committed, loaded, putOf, type StoreCase, textOf } from "./store-case.ts";

/** Makes `count` messages for one mailbox, with ids from `m0`. */
function manyMail(count: number): readonly Mail[] {
  const frame = bytesOf("x");
  return Array.from({ length: count }, (_, index) => ({ id: `m${index}`, receiver: agent, kind: "call", frame }));
}

/** Mailboxes of the log, and their readers. */
export const mailboxCases: readonly StoreCase[] = [
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
    promise: "an id is that of its mailbox alone, whatever its characters, and is known after a restart",
    tryIt: async (lab) => {
      const opened = await openLog(lab);
      if (opened === undefined) return;
      const longId = "i".repeat(255);
      // Written one behind the other, names and ids are the same text.
      const named = [
        ["order-1", "1-paid"],
        ["order-11", "-paid"],
        ["order-", "11-paid"],
        ["zero", "\0"],
        ["zero\0", ""],
        ["long", `${longId}\u{1F600}`],
        ["long", `${longId}\u{1F601}`],
      ] as const;
      for (const [key, id] of named) {
        equal(await opened.log.append({ ...agent, key }, messageOf(lab, id)), "kept");
      }
      const again = await lab.reopen(opened.store);
      for (const [key, id] of named) {
        equal(await again.log?.append({ ...agent, key }, messageOf(lab, id)), "known");
      }
    },
  },
  {
    promise: "a commit leaves out mail that its mailbox was given in the last 10 minutes, and writes the rest",
    tryIt: async (lab) => {
      const opened = await openLog(lab);
      if (opened === undefined) return;
      const { store, log } = opened;
      const once = (id: string, receiver = agent): Mail => {
        return { id, receiver, kind: "event", frame: bytesOf(id), isOnce: true };
      };
      equal(await log.append(agent, messageOf(lab, "1")), "kept");
      await committed(store, putOf("one", { mail: [once("1"), once("2"), once("1", other)] }));
      const two = await committed(store, putOf("two", { mail: [once("2"), once("3"), once("1", other)] }));
      deepEqual(two.knownMail, [0, 2]);
      equal(textOf((await loaded(store)).data), "two");
      equal(await log.append(agent, messageOf(lab, "3")), "known");
      lab.clock.advance(10 * minuteMs);
      await committed(store, commitOf({ mail: [once("1")] }));
      const mail = await store.mail({ limit: 100 });
      deepEqual(
        mail.map(({ receiver, id }) => [receiver.key, id]),
        [
          [agent.key, "1"],
          [agent.key, "2"],
          [other.key, "1"],
          [agent.key, "3"],
          [agent.key, "1"],
        ],
      );
    },
  },
  {
    promise:
      "a commit with mail that a full mailbox was given before happens; one with other mail to it says that it is full",
    tryIt: async (lab) => {
      const opened = await openLog(lab);
      if (opened === undefined) return;
      const { store } = opened;
      await committed(store, commitOf({ mail: manyMail(9_999) }));
      const last: Mail = { id: "last", receiver: agent, kind: "event", frame: bytesOf("x"), isOnce: true };
      await committed(store, commitOf({ mail: [last] }));
      await committed(store, commitOf({ mail: [last] }));
      const mail = [
        { ...last, receiver: other },
        { ...last, id: "more" },
      ];
      const [outcome] = await store.commit([commitOf({ mail })]);
      ok(outcome?.at === "refused" && outcome.isMailboxFull === true);
      equal((await store.stats()).mail, 10_000);
    },
  },
  {
    promise: "a mailbox takes 10,000 messages; a commit with one more is refused",
    tryIt: async (lab) => {
      const opened = await openLog(lab);
      if (opened === undefined) return;
      const { store, log } = opened;
      await committed(store, commitOf({ mail: manyMail(9_999) }));
      equal(await log.append(agent, messageOf(lab, "1")), "kept");
      equal(await log.append(agent, messageOf(lab, "2")), "full");
      const [outcome] = await store.commit([commitOf({ mail: manyMail(1) })]);
      equal(outcome?.at, "refused");
      await committed(store, commitOf({ mail: [{ id: "1", receiver: other, kind: "call", frame: bytesOf("x") }] }));
      equal(await log.append(other, messageOf(lab, "2")), "kept");
    },
  },
  {
    promise: "a reader has at most 1,000 unsettled messages, and gets more when it settles some",
    tryIt: async (lab) => {
      const opened = await openLog(lab);
      if (opened === undefined) return;
      const { store, log } = opened;
      const mail = manyMail(1_100);
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

import { deepEqual, equal, ok } from "node:assert/strict";
import type { Mail } from "../../../core/internal.ts";
import { minuteMs, other } from "../durable-log/log-case.ts";
import { messageOf, Reading } from "../durable-log/log-reading.ts";
import { agent, bytesOf, commitOf, committed, loaded, openLog, putOf, type StoreCase, textOf } from "./store-case.ts";

/** Makes `count` messages for one mailbox, with ids from `m0`. */
function manyMail(count: number): readonly Mail[] {
  const frame = bytesOf("x");
  return Array.from({ length: count }, (_, index) => ({ id: `m${index}`, receiver: agent, kind: "call", frame }));
}

/** Mailboxes of the log to which commits have written. */
export const mailboxCases: readonly StoreCase[] = [
  {
    promise: "a reader gets the mail of commits in order among what was appended",
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
];

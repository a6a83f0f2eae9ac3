import { deepEqual, equal, ok } from "node:assert/strict";
import type { DeadReason, DurableLog } from "../../../core/internal.ts";
import { agent, type LogCase, minuteMs, other } from "./log-case.ts";
import { bytesOf, handedOver, idsOf, messageOf, Reading, textOf } from "./log-reading.ts";

const dayMs = 24 * 60 * minuteMs;
/** As `storeLimits` has it. */
const mostLettersBytes = 64 * 1024 * 1024;
const why: DeadReason = { code: "handler-failed", text: "it threw", attempts: 5 };

/** Dead letters of the log. */
export const letterCases: readonly LogCase[] = [
  {
    promise: "a message that was buried is a dead letter, and in its mailbox no more",
    tryIt: async (lab) => {
      const log = await lab.open();
      await log.append(agent, messageOf(lab, "1"));
      const sentAtMs = lab.clock.wallNow();
      const [message] = await (await Reading.of(log)).has(1);
      ok(message !== undefined);
      lab.clock.advance(7);
      await log.bury(message, why);
      await log.bury(message, why);
      const again = await lab.reopen(log);
      const next = await Reading.of(again, 2);
      await handedOver(lab, again, next);
      deepEqual(idsOf(next), []);
      const { letters, isLast } = await again.deadLetters({ limit: 10 });
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
      const log = await lab.open();
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
      const log = await lab.open();
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
      let log = await lab.open({ forgetsSoon: true });
      await log.bury({ ...messageOf(lab, "1"), mailbox: agent, place: 0, priorTakeovers: 0 }, why);
      const count = async () => (await log.deadLetters({ limit: 1 })).letters.length;
      if (lab.hasOwnClock) while ((await count()) > 0);
      for (const [waitMs, left] of lab.hasOwnClock
        ? []
        : ([
            [30 * dayMs - 1, 1],
            [1, 0],
          ] as const)) {
        // A closed log has no timers, of which a month would run very many.
        await lab.close(log);
        lab.clock.advance(waitMs);
        log = await lab.openAgain(log);
        equal(await count(), left);
      }
    },
  },
  {
    promise: "forgets the oldest dead letters of the agent types that have the most, when all have more than 64 MiB",
    tryIt: async (lab) => {
      const log = await lab.open();
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

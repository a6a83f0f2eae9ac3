import { deepEqual, equal, ok } from "node:assert/strict";
import { type AgentName, type KeptMessage, shardOf } from "../../../core/internal.ts";
import { agent, type LogCase, minuteMs, other } from "./log-case.ts";
import { bytesOf, handedOver, idsOf, messageOf, neighbour, neighbours, Reading } from "./log-reading.ts";

/** Mailboxes of a log, and their readers. */
export const mailboxCases: readonly LogCase[] = [
  {
    promise: "a reader gets the messages of its shard in order, those that were kept before and later ones",
    tryIt: async (lab) => {
      const log = await lab.open();
      equal(await log.append(agent, messageOf(lab, "1")), "kept");
      equal(await log.append(agent, messageOf(lab, "2")), "kept");
      const reading = await Reading.of(log);
      await reading.has(2);
      equal(await log.append(agent, messageOf(lab, "3")), "kept");
      equal(await log.append(agent, { ...messageOf(lab, "4"), kind: "event" }), "kept");
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
    promise: "a mailbox is emptied up to a place, and keeps what came later",
    tryIt: async (lab) => {
      const log = await lab.open();
      for (const id of ["1", "2"]) await log.append(agent, messageOf(lab, id));
      const newest = await log.newest();
      ok(newest > 0);
      await log.append(agent, messageOf(lab, "3"));
      ok((await log.newest()) > newest);
      await log.empty(agent, newest);
      await log.empty(other, newest);
      const reading = await Reading.of(log);
      await reading.has(1);
      deepEqual(reading.ids, ["3"]);
      await reading.settle(0);
      await log.empty(agent, newest);
    },
  },
  {
    promise: "a message that was settled does not come again; one that was not comes to the next reader",
    tryIt: async (lab) => {
      const log = await lab.open();
      for (const id of ["1", "2", "3"]) await log.append(agent, messageOf(lab, id));
      const reading = await Reading.of(log);
      await reading.has(3);
      equal(await reading.settle(1), "settled");
      const again = await lab.reopen(log);
      const next = await Reading.of(again);
      await handedOver(lab, again, next);
      deepEqual(idsOf(next), ["1", "3"]);
    },
  },
  {
    promise: "messages that are settled together do not come again; those before, between and behind them do",
    tryIt: async (lab) => {
      const log = await lab.open();
      const reading = await Reading.of(log);
      const mailboxes = [agent, ...neighbours(4)];
      const [first, spilled, passed] = mailboxes;
      ok(first !== undefined && spilled !== undefined && passed !== undefined);
      const kept: string[] = [];
      for (let round = 0; round < 10; round += 1) {
        for (const [number, mailbox] of mailboxes.entries()) {
          const id = `${round}-${number}`;
          if (mailbox === spilled || mailbox === passed) kept.push(id);
          await log.append(mailbox, messageOf(lab, id));
        }
        const messages = await reading.has((round + 1) * mailboxes.length);
        const isOut = ({ mailbox }: KeptMessage) => mailbox.key === spilled.key || mailbox.key === passed.key;
        const last = messages.slice(round * mailboxes.length);
        const [head] = messages;
        ok(head !== undefined && reading.hold !== undefined);
        const hold = reading.hold;
        const settled = last.filter((message) => !isOut(message) && message !== head);
        await Promise.all(settled.map((message) => hold.settle(message)));
      }
      // Until now the first message was open, and then two mailboxes are.
      const mine = (of: AgentName) => reading.messages.filter(({ mailbox }) => mailbox.key === of.key);
      const [firstSpilled] = mine(spilled);
      ok(firstSpilled !== undefined);
      await log.spill(shardOf(agent), spilled, firstSpilled);
      await log.pass(shardOf(agent), passed, mine(passed));
      equal(await reading.settle(0), "settled");
      const next = await Reading.of(log, 2);
      await handedOver(lab, log, next);
      deepEqual(idsOf(next), kept);
    },
  },
  {
    promise: "a reader that takes a shard ends the one before, which settles nothing any more",
    tryIt: async (lab) => {
      const log = await lab.open();
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
      const log = await lab.open();
      const reading = await Reading.of(log);
      equal(await log.append(agent, messageOf(lab, "1")), "kept");
      equal(await log.append(agent, messageOf(lab, "1")), "known");
      equal(await log.append(other, messageOf(lab, "1")), "kept");
      await reading.has(1);
      await reading.settle(0);
      if (!lab.hasOwnClock) lab.clock.advance(10 * minuteMs - 1);
      equal(await log.append(agent, messageOf(lab, "1")), "known");
    },
  },
  {
    promise: "a mailbox forgets an id after 10 minutes",
    tryIt: async (lab) => {
      const log = await lab.open({ forgetsSoon: true });
      equal(await log.append(agent, messageOf(lab, "1")), "kept");
      if (lab.hasOwnClock) while ((await log.append(agent, messageOf(lab, "1"))) === "known");
      else {
        lab.clock.advance(10 * minuteMs);
        equal(await log.append(agent, messageOf(lab, "1")), "kept");
      }
      await (await Reading.of(log)).has(2);
    },
  },
  {
    promise: "an id is that of its mailbox alone, whatever its characters, and is known after a restart",
    tryIt: async (lab) => {
      const log = await lab.open();
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
        equal(await log.append({ ...agent, key }, messageOf(lab, id)), "kept");
      }
      const again = await lab.reopen(log);
      for (const [key, id] of named) {
        equal(await again.append({ ...agent, key }, messageOf(lab, id)), "known");
      }
    },
  },
  {
    promise: "messages that were spilled do not come to the reader, and are read back in order",
    tryIt: async (lab) => {
      const log = await lab.open();
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
      const log = await lab.open();
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
  {
    promise: "a mailbox takes 10,000 messages, and more when some were settled",
    tryIt: async (lab) => {
      const log = await lab.open();
      for (let lot = 0; lot < 20; lot += 1) {
        const ids = Array.from({ length: 500 }, (_, index) => `${lot}-${index}`);
        const outcomes = await Promise.all(ids.map((id) => log.append(agent, messageOf(lab, id))));
        // A log over a network asks again when an answer does not come in time, and then knows the message.
        const others = outcomes.filter((outcome) => outcome !== "kept" && outcome !== "known");
        deepEqual(others, []);
      }
      equal(await log.append(agent, messageOf(lab, "more")), "full");
      equal(await log.append(other, messageOf(lab, "more")), "kept");
      const reading = await Reading.of(log);
      await reading.has(1);
      await reading.settle(0);
      equal(await log.append(agent, messageOf(lab, "again")), "kept");
    },
  },
  {
    promise: "a reader has at most 1,000 unsettled messages, and gets more when it settles some",
    tryIt: async (lab) => {
      const log = await lab.open();
      const ids = Array.from({ length: 1_100 }, (_, index) => String(index));
      for (const id of ids) await log.append(agent, messageOf(lab, id));
      const reading = await Reading.of(log);
      await reading.has(1_000);
      for (let index = 0; index < 100; index += 1) {
        equal(reading.messages.length, 1_000 + index);
        await reading.settle(index);
        await reading.has(1_001 + index);
      }
      deepEqual(reading.ids, ids);
    },
  },
  {
    promise: "messages that are appended at once while a mailbox is spilled and read back come once and in order",
    tryIt: async (lab) => {
      const log = await lab.open();
      const shard = shardOf(agent);
      const reading = await Reading.of(log);
      await log.append(agent, messageOf(lab, "first"));
      const [first] = await reading.has(1);
      ok(first !== undefined);
      const kept: string[] = [];
      const appending = (async () => {
        for (let index = 0; index < 300; index += 1) {
          await log.append(agent, messageOf(lab, String(index)));
          kept.push(String(index));
        }
      })();
      const got: string[] = [];
      let handed = 1;
      for (let round = 0; round < 10; round += 1) {
        const next = (await reading.has(handed + 1))[handed];
        ok(next !== undefined);
        // The reader takes none of those that it was handed before the spill, but reads them back.
        await log.spill(shard, agent, next);
        for await (const message of log.unspill(shard, agent)) got.push(message.id);
        handed = reading.messages.length;
        if (got.length >= 290) break;
      }
      await appending;
      await handedOver(lab, log, reading);
      got.push(...idsOf(reading).slice(handed));
      deepEqual(got, kept);
    },
  },
  {
    promise: "a message that was read back does not come again, though its shard is read to there only later",
    tryIt: async (lab) => {
      const log = await lab.open();
      const shard = shardOf(agent);
      const ids = Array.from({ length: 1_000 }, (_, index) => `busy ${index}`);
      for (const id of ids) await log.append(neighbour(), messageOf(lab, id));
      const reading = await Reading.of(log);
      // It has as many as it may have.
      await reading.has(1_000);
      await log.spill(shard, agent, { place: 0 });
      await log.append(agent, messageOf(lab, "back"));
      const back: string[] = [];
      for await (const message of log.unspill(shard, agent)) back.push(message.id);
      deepEqual(back, ["back"]);
      for (let index = 0; index < 10; index += 1) await reading.settle(index);
      await handedOver(lab, log, reading);
      equal(reading.ids.includes("back"), false);
    },
  },
  {
    promise: "hands over messages of 600 KiB, one after the other",
    tryIt: async (lab) => {
      const log = await lab.open();
      const frame = new Uint8Array(600 * 1024).fill(7);
      for (const id of ["1", "2", "3"]) await log.append(agent, { ...messageOf(lab, id), frame });
      await log.append(agent, messageOf(lab, "4"));
      const reading = await Reading.of(log);
      const messages = await reading.has(4);
      deepEqual(reading.ids, ["1", "2", "3", "4"]);
      deepEqual(messages[2]?.frame, frame);
    },
  },
];

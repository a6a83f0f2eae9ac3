import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { ShardTakenError, StoreError, shardOf } from "../../../core/internal.ts";
import { agent, type LogCase } from "./log-case.ts";
import { handedOver, idsOf, messageOf, Reading, whenReached } from "./log-reading.ts";

/** Readers of one shard in several processes, of logs that have them. */
export const readerCases: readonly LogCase[] = [
  {
    promise:
      "a reader in another process with a higher token ends this one as fenced, and gets what is not settled, in order",
    tryIt: async (lab) => {
      const one = await lab.open();
      const two = await lab.another(one);
      for (const id of ["1", "2", "3"]) await one.append(agent, messageOf(lab, id));
      const first = await Reading.of(one, 1);
      await first.has(3);
      equal(await first.settle(0), "settled");
      const second = await Reading.of(two, 2);
      equal((await first.ended()).storeCode, "fenced");
      equal(await first.settle(1), "lost");
      await one.append(agent, messageOf(lab, "4"));
      await second.has(3);
      deepEqual(second.ids, ["2", "3", "4"]);
      equal(first.messages.length, 3);
    },
  },
  {
    promise: "a reader with a lower token than that of another process is refused as fenced",
    tryIt: async (lab) => {
      const one = await lab.open();
      const two = await lab.another(one);
      const first = await Reading.of(one, 8);
      const isFenced = (error: unknown) => error instanceof StoreError && error.storeCode === "fenced";
      // The error names the token, so that a host whose store has forgotten writes can take a higher one.
      await rejects(Reading.of(two, 7), (error) => error instanceof ShardTakenError && error.token === 8);
      await rejects(Reading.of(one, 7), isFenced);
      await one.append(agent, messageOf(lab, "1"));
      await first.has(1);
      equal(first.lost, undefined);
    },
  },
  {
    promise: "of two readers that take a shard at once the one with the higher token has it",
    tryIt: async (lab) => {
      const one = await lab.open();
      const two = await lab.another(one);
      for (let token = 1; token < 20; token += 2) {
        const [lower, higher] = await Promise.allSettled([Reading.of(one, token), Reading.of(two, token + 1)]);
        if (higher.status === "rejected") throw higher.reason;
        if (lower.status === "fulfilled") equal((await lower.value.ended()).storeCode, "fenced");
        await one.append(agent, messageOf(lab, String(token)));
        await higher.value.has(1);
        equal(await higher.value.settle(0), "settled");
      }
    },
  },
  {
    promise: "says how far the reader of a shard had come, and counts those that were lost with a message",
    tryIt: async (lab) => {
      const one = await lab.open();
      const two = await lab.another(one);
      const shard = shardOf(agent);
      equal(await two.reached(shard), 0);
      for (const id of ["1", "2"]) await one.append(agent, messageOf(lab, id));
      const messages = await (await Reading.of(one, 1)).has(2);
      const upTo = await two.reached(shard);
      equal(upTo, messages[1]?.place);
      const next = await Reading.of(two, 2, {
        lost: [
          { upTo: messages[0]?.place ?? 0, count: 3 },
          { upTo, count: 1 },
        ],
      });
      await two.append(agent, messageOf(lab, "3"));
      const again = await next.has(3);
      deepEqual(
        again.map(({ priorTakeovers }) => priorTakeovers),
        [4, 1, 0],
      );
      await next.hold?.leave();
      equal(await one.reached(shard), 0);
    },
  },
  {
    promise: "what is appended in one process comes to the reader in another",
    tryIt: async (lab) => {
      const one = await lab.open();
      const two = await lab.another(one);
      const reading = await Reading.of(one);
      for (const id of ["1", "2"]) await two.append(agent, messageOf(lab, id));
      await reading.has(2);
      equal(await two.append(agent, messageOf(lab, "1")), "known");
      deepEqual(reading.ids, ["1", "2"]);
      // It reads no shard.
      deepEqual(await two.receivers(-1), []);
      ok((await one.receivers(-1)).length > 0);
    },
  },
];

/** Servers of a log that are killed and come back. */
export const restartCases: readonly LogCase[] = [
  {
    promise: "what was appended while the servers were killed comes once and in order, and what was settled does not",
    tryIt: async (lab) => {
      const log = await lab.open();
      const reading = await Reading.of(log);
      const { restart } = lab.adapter;
      for (const id of ["1", "2"]) await log.append(agent, messageOf(lab, id));
      await reading.has(2);
      await reading.settle(0);
      const restarting = restart?.(log);
      const settling = whenReached(() => reading.settle(1));
      for (let id = 3; id <= 20; id += 1)
        ok((await whenReached(() => log.append(agent, messageOf(lab, String(id))))) !== "full");
      await restarting;
      equal(await settling, "settled");
      await handedOver(lab, log, reading, whenReached);
      const ids = Array.from({ length: 20 }, (_, index) => String(index + 1));
      deepEqual(idsOf(reading), ids);
      const next = await whenReached(() => Reading.of(log, 2));
      await handedOver(lab, log, next, whenReached);
      deepEqual(idsOf(next), ids.slice(2));
    },
  },
  {
    promise: "what was spilled is read back after the servers were killed, once and in order",
    tryIt: async (lab) => {
      const log = await lab.open();
      const shard = shardOf(agent);
      const reading = await Reading.of(log);
      const ids = Array.from({ length: 50 }, (_, index) => String(index + 1));
      for (const id of ids.slice(0, 30)) await log.append(agent, messageOf(lab, id));
      const [first] = await reading.has(1);
      ok(first !== undefined);
      await log.spill(shard, agent, first);
      const back: string[] = [];
      for await (const message of log.unspill(shard, agent)) {
        back.push(message.id);
        if (back.length === 10) break;
      }
      await lab.adapter.restart?.(log);
      for (const id of ids.slice(30)) await whenReached(() => log.append(agent, messageOf(lab, id)));
      await whenReached(async () => {
        for await (const message of log.unspill(shard, agent)) back.push(message.id);
      });
      deepEqual(back, ids);
      await whenReached(() => log.append(agent, messageOf(lab, "last of all")));
      await handedOver(lab, log, reading, whenReached);
      equal(idsOf(reading).length, reading.messages.length - 2);
      equal(reading.ids.filter((id) => id === "last of all").length, 1);
    },
  },
  {
    promise: "dead letters are kept once though the servers are killed meanwhile",
    tryIt: async (lab) => {
      const log = await lab.open();
      await log.append(agent, messageOf(lab, "1"));
      const [message] = await (await Reading.of(log)).has(1);
      ok(message !== undefined);
      const restarting = lab.adapter.restart?.(log);
      await whenReached(() => log.bury(message, { code: "handler-failed", text: "it threw", attempts: 5 }));
      await restarting;
      await whenReached(() => log.bury(message, { code: "handler-failed", text: "it threw", attempts: 5 }));
      const { letters } = await whenReached(() => log.deadLetters({ limit: 10 }));
      equal(letters.length, 1);
      const next = await whenReached(() => Reading.of(log, 2));
      await handedOver(lab, log, next, whenReached);
      deepEqual(idsOf(next), []);
    },
  },
];

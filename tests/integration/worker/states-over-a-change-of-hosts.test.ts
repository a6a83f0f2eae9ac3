import { expect, test } from "vitest";
import { z } from "zod";
import { defineMessage, defineState, handlerTable, persistentAgent } from "../../../src/core/index.ts";
import { MemoryStateStore } from "../../../src/storage/index.ts";
import { Gate } from "../../support/gate.ts";
import { jsonOf, jsonPayload, next, requestFrame } from "../../support/worker/frames.ts";
import { type LendingHost, lendingHosts, takeShortOf } from "../../support/worker/lending-host.ts";

const Total = defineMessage("Total", z.object({ value: z.number() }));
const Add = defineMessage("Add", z.object({ value: z.number() }), { answer: Total });
const Count = defineState(z.object({ total: z.number() }), { initial: { total: 0 } });

/** A store that other programs write, too. */
function sharedStore(): MemoryStateStore {
  return Object.defineProperty(new MemoryStateStore(), "writers", { value: "many" });
}

function add(value: number, requestId: string) {
  return requestFrame("room/a", { requestId, payload: jsonPayload("Add", { value }), metadata: { agepoch: "1.2.1" } });
}

/** Two hosts of a cluster, and at the first one a worker whose agents of the shared type `room` add up. */
async function countingAtTwoHosts() {
  const [first, second] = (await lendingHosts(2)) as [LendingHost, LendingHost];
  const store = sharedStore();
  const seen: string[] = [];
  const gate = new Gate();
  class Counter extends persistentAgent(Count) {
    static override readonly shared = true;
    static override readonly handlers = handlerTable<Counter>().rpc(Add, async function ({ value }) {
      seen.push(`add ${value}`);
      if (value === 0) await gate.opened;
      this.state.total += value;
      return Total({ value: this.state.total });
    });
    override onActivate(): void {
      seen.push("activates");
    }
    override onDeactivate(reason: string): void {
      seen.push(`ends: ${reason}`);
      this.state.total = -1;
    }
  }
  const address = [first.address, second.address];
  const reconnect = { initialDelayMs: 1, maxDelayMs: 1 };
  const [worker, channel] = await first.worker({ address, reconnect, stateStore: store, drainTimeoutMs: 60_000 });
  first.hurried.push(worker);
  await Counter.register(worker, "room", () => new Counter("counts"));
  return {
    ...{ first, second, store, seen, gate, channel },
    async [Symbol.asyncDispose]() {
      await first[Symbol.asyncDispose]();
      await second[Symbol.asyncDispose]();
    },
  };
}

test("a persistent agent that stays over a loss of its host asks whether its state is still the stored one", async () => {
  await using at = await countingAtTwoHosts();
  at.channel.send(add(5, "h1"));
  expect(await takeShortOf(at.channel, 1)).toEqual(["answer h1"]);
  await at.first.kill();
  const data = new TextEncoder().encode(JSON.stringify({ total: 100 }));
  await at.store.commit([
    {
      ...{ agent: { type: "room", key: "a" }, epoch: undefined, expected: { at: "anything" } },
      write: { at: "put", contentType: "application/json", schemaVersion: 1, data },
      ...{ reminders: [], mail: [], remembered: [] },
    },
  ]);
  const channel = await at.second.channels.take();
  expect(await takeShortOf(channel, 1)).toEqual(["holds a@1"]);
  channel.send(add(1, "h2"));
  // Without the question its commit would meet the other writer.
  const [asked, back] = await takeShortOf(channel, 2);
  expect([asked, back]).toEqual(["ask-leave stale a", "returned leaving a@1"]);
  channel.send({
    kind: "leave",
    agents: [{ type: "room", key: "a", epoch: { generation: 1, era: 2, number: 1 } }],
    reason: "stale",
    graceMs: 0,
  });
  expect(await takeShortOf(channel, 1)).toEqual(["left a@1"]);
  channel.send({ ...add(1, "h3"), metadata: { agepoch: "1.2.2" } });
  expect(jsonOf((await next(channel, "response")).payload)).toEqual({ value: 101 });
});

test("a persistent agent that nobody else has written goes on with its state after a loss of its host", async () => {
  await using at = await countingAtTwoHosts();
  at.channel.send(add(5, "h1"));
  expect(await takeShortOf(at.channel, 1)).toEqual(["answer h1"]);
  await at.first.kill();
  const channel = await at.second.channels.take();
  await next(channel, "holds");
  channel.send(add(1, "h2"));
  expect(jsonOf((await next(channel, "response")).payload)).toEqual({ value: 6 });
  expect(at.seen).toEqual(["activates", "add 5", "add 1"]);
});

test("nothing of a persistent agent is written when no host of the cluster serves its worker any more", async () => {
  await using at = await countingAtTwoHosts();
  at.channel.send(add(5, "h1"));
  expect(await takeShortOf(at.channel, 1)).toEqual(["answer h1"]);
  at.channel.send(add(0, "h2"));
  while (!at.seen.includes("add 0")) await new Promise((resolve) => setImmediate(resolve));
  at.channel.send({ kind: "void" });
  const channel = await Promise.race([at.first.channels.take(), at.second.channels.take()]);
  at.gate.open();
  channel.send(add(1, "h3"));
  expect(jsonOf((await next(channel, "response")).payload)).toEqual({ value: 6 });
  expect(at.seen).toEqual(["activates", "add 5", "add 0", "ends: moved", "activates", "add 1"]);
});

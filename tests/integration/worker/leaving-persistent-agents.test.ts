import { expect, test } from "vitest";
import { z } from "zod";
import {
  AgentId,
  defineMessage,
  defineState,
  handlerTable,
  persistentAgent,
  TypeSubscription,
} from "../../../src/core/index.ts";
import type { StateStore } from "../../../src/core/internal.ts";
import { encodeFrame } from "../../../src/protocol/index.ts";
import { MemoryStateStore } from "../../../src/storage/index.ts";
import type { WorkerRuntimeOptions } from "../../../src/worker/index.ts";
import { Gate } from "../../support/gate.ts";
import { Inbox } from "../../support/inbox.ts";
import { jsonPayload, requestFrame } from "../../support/worker/frames.ts";
import {
  eventFor,
  inShort,
  leave,
  type PlacingHost,
  placingHost,
  takeShort,
} from "../../support/worker/placing-host.ts";

const Total = defineMessage("Total", z.object({ value: z.number() }));
const Add = defineMessage("Add", z.object({ value: z.number() }), { answer: Total });
const Count = defineState(z.object({ total: z.number() }), { initial: { total: 0 } });
const Newer = defineState(z.object({ total: z.number() }), {
  initial: { total: 0 },
  version: 2,
  migrations: { 1: (old: { total: number }) => old },
});

/** A store that other programs write, too. */
function sharedStore(): MemoryStateStore {
  return Object.defineProperty(new MemoryStateStore(), "writers", { value: "many" });
}

/** A worker with the shared type `room` of persistent counters. A handler waits for the gate if its value is 0. */
async function counters(host: PlacingHost, stateStore: StateStore, options: Partial<WorkerRuntimeOptions> = {}) {
  const gate = new Gate();
  const seen: string[] = [];
  class Counter extends persistentAgent(Count) {
    static override readonly shared = true;
    static override readonly handlers = handlerTable<Counter>().rpc(Add, async function ({ value }) {
      seen.push(`add ${value}`);
      if (value === 0) await gate.opened;
      this.state.total += value;
      return Total({ value: this.state.total });
    });
    override onDeactivate(reason: string): void {
      seen.push(`ends: ${reason}`);
    }
  }
  const [worker, channel] = await host.worker({ stateStore, ...options });
  host.hurried.push(worker);
  await Counter.register(worker, "room", () => new Counter("counts"));
  return { worker, channel, gate, seen };
}

function add(value: number, requestId: string, number = 1) {
  const metadata = { agepoch: `1.2.${number}` };
  return requestFrame("room/a", { requestId, payload: jsonPayload("Add", { value }), metadata });
}

/** Writes the agent's state as another program would. */
async function write(store: StateStore, total: number, schemaVersion = 1): Promise<void> {
  await store.open();
  const data = new TextEncoder().encode(JSON.stringify({ total }));
  await store.commit([
    {
      agent: { type: "room", key: "a" },
      epoch: undefined,
      expected: { at: "anything" },
      write: { at: "put", contentType: "application/json", schemaVersion, data },
      ...{ reminders: [], mail: [], remembered: [] },
    },
  ]);
}

test("a turn that met another writer goes back as a conflict, and what comes goes back until the host says leave", async () => {
  await using host = await placingHost();
  const store = sharedStore();
  const { channel, gate, seen } = await counters(host, store);
  channel.send(add(1, "h1"));
  expect(await takeShort(channel, 1)).toEqual(["answer h1"]);
  // A state is written only if it has changed: this turn waits, and the next one adds.
  channel.send(add(0, "h2"));
  while (seen.length < 2) await new Promise((resolve) => setImmediate(resolve));
  channel.send(add(2, "h3"));
  channel.send(add(3, "h4"));
  await write(store, 100);
  gate.open();
  expect(await takeShort(channel, 4)).toEqual([
    "answer h2",
    "ask-leave stale a",
    "returned conflict a@1",
    "returned leaving a@1",
  ]);
  channel.send(add(4, "h5"));
  const late = await channel.received.take();
  expect(late).toMatchObject({ kind: "returned", message: new Uint8Array(encodeFrame(add(4, "h5"))) });
  channel.send(leave(["a"], "stale"));
  expect(await takeShort(channel, 1)).toEqual(["left a@1"]);
  expect(seen).toEqual(["add 1", "add 0", "add 2", "ends: stale"]);
  channel.send(add(2, "h3", 2));
  expect(await channel.received.take()).toMatchObject({ payload: jsonPayload("Total", { value: 102 }) });
});

test("an event for one agent alone goes back once only: when its turn meets another writer, it fails and the next one has its turn", async () => {
  await using host = await placingHost();
  const store = sharedStore();
  const [worker, channel] = await host.worker({ stateStore: store });
  host.hurried.push(worker);
  const [begun, gate] = [new Inbox<number>(), new Gate()];
  class Counter extends persistentAgent(Count) {
    static override readonly shared = true;
    static override readonly handlers = handlerTable<Counter>().event(Add, async function ({ value }) {
      begun.put(value);
      this.state.total += value;
      await gate.opened;
    });
  }
  await Counter.register(worker, "room", () => new Counter("counts"));
  await worker.addSubscription(new TypeSubscription("news", "room"));
  channel.sendBytes(eventFor("a", "e1", { message: jsonPayload("Add", { value: 1 }), alone: true }));
  expect(await begun.take()).toBe(1);
  channel.sendBytes(eventFor("a", "e2", { message: jsonPayload("Add", { value: 2 }), alone: true }));
  await write(store, 100);
  gate.open();
  // What has not begun goes back though it is for this agent alone. The host would drop the one that has begun.
  expect((await takeShort(channel, 2)).toSorted()).toEqual(["ask-leave stale a", "returned leaving a@1"]);
  channel.send(leave(["a"], "stale"));
  expect(await takeShort(channel, 1)).toEqual(["left a@1"]);
  expect(worker.counters()).toMatchObject({ failedEventHandlers: 1 });
});

test("an agent whose stored state is newer than its class gives its messages back as unfit", async () => {
  await using host = await placingHost();
  const store = sharedStore();
  await write(store, 7, Newer.version);
  const { channel } = await counters(host, store);
  channel.send(add(1, "h1"));
  channel.send(add(2, "h2"));
  expect(await takeShort(channel, 3)).toEqual(["ask-leave failed a", "returned unfit a@1", "returned unfit a@1"]);
  channel.send(leave(["a"], "failed"));
  expect(await takeShort(channel, 1)).toEqual(["left a@1"]);
});

test("an event for an agent alone that waits for a slot goes on to another worker when the agent can't be made of its state here", async () => {
  await using host = await placingHost();
  const store = sharedStore();
  await write(store, 7, Newer.version);
  const { channel, worker } = await counters(host, store, { maxConcurrentHandlers: 1 });
  await worker.addSubscription(new TypeSubscription("news", "room"));
  channel.send(add(1, "h1"));
  channel.sendBytes(eventFor("a", "e1", { message: jsonPayload("Add", { value: 1 }), alone: true }));
  // The host takes an event back that is for one agent alone only if its handler has not seen it, which `leaving` says.
  expect(await takeShort(channel, 3)).toEqual(["ask-leave failed a", "returned unfit a@1", "returned leaving a@1"]);
});

test("destroyAgent of a shared agent waits for the host, and the state is gone before left is said", async () => {
  await using host = await placingHost();
  const store = sharedStore();
  const { channel, worker } = await counters(host, store);
  channel.send(add(1, "h1"));
  await takeShort(channel, 1);
  const destroyed = worker.destroyAgent(new AgentId("room", "a"));
  expect(await takeShort(channel, 1)).toEqual(["ask-leave asked a"]);
  channel.send(leave(["a"], "asked"));
  expect(inShort(await channel.received.take())).toBe("left a@1");
  expect(await store.load({ type: "room", key: "a" })).toBeUndefined();
  await destroyed;
});

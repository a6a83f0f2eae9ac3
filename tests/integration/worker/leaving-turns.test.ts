import { expect, test } from "vitest";
import { z } from "zod";
import {
  defineMessage,
  defineState,
  handlerTable,
  persistentAgent,
  TypeSubscription,
} from "../../../src/core/index.ts";
import { MemoryStateStore } from "../../../src/storage/index.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import { Gate } from "../../support/gate.ts";
import { jsonPayload, requestFrame } from "../../support/worker/frames.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { Reply } from "../../support/worker/messages.ts";
import {
  callTo,
  eventFor,
  leave,
  placingHost,
  roomsAt,
  settled,
  takeShort,
} from "../../support/worker/placing-host.ts";

test("a call that a turn waits for, and that itself waits behind another turn, stays at an agent that leaves", async () => {
  await using host = await placingHost();
  const gates = new Map(["read 1", "read 2"].map((name) => [name, new Gate()]));
  const begun: string[] = [];
  class Book extends FunctionAgent {
    turnKind(message: unknown) {
      return textOf(message).startsWith("read") ? ("reading" as const) : ("alone" as const);
    }
  }
  const factory = () =>
    new Book(async (message) => {
      begun.push(textOf(message));
      await gates.get(textOf(message))?.opened;
      return Reply({ content: "done" });
    });
  const { channel } = await roomsAt(host, { factory, type: { concurrency: "sequential" } });
  channel.send(callTo("a", "h1", "read 1"));
  channel.send(callTo("a", "h2", "read 2"));
  const nested = callTo("a", "h3", "write");
  channel.send({ ...nested, metadata: { ...nested.metadata, agpath: "h1@room/a,h9@desk/1" } });
  channel.send(callTo("a", "h4", "write"));
  await settled(channel);
  channel.send(leave(["a"]));
  // The last call may go elsewhere; a turn of this activation waits for the one before.
  expect(await settled(channel)).toEqual(["returned leaving a@1"]);
  gates.get("read 2")?.open();
  expect(await takeShort(channel, 2)).toEqual(["answer h2", "answer h3"]);
  gates.get("read 1")?.open();
  expect(await takeShort(channel, 2)).toEqual(["answer h1", "left a@1"]);
  expect(begun).toEqual(["read 1", "read 2", "write"]);
});

test("an agent of a worker that stops does not stay, though a message has come before the leave", async () => {
  await using host = await placingHost();
  const clock = new ManualClock();
  const { channel, worker } = await roomsAt(host, { worker: { clock }, type: { idleAfterMs: 1_000 } });
  channel.send(callTo("a", "h1"));
  expect(await takeShort(channel, 1)).toEqual(["answer h1"]);
  clock.advance(1_000);
  expect(await takeShort(channel, 1)).toEqual(["ask-leave idle a"]);
  channel.send(callTo("a", "h2"));
  expect(await takeShort(channel, 1)).toEqual(["answer h2"]);
  const stopped = worker.stop();
  expect(await takeShort(channel, 1)).toEqual(["leaving-worker"]);
  // The host's answer to the ask, on its way before the worker stopped.
  channel.send(leave(["a"], "idle"));
  expect(await takeShort(channel, 1)).toEqual(["left a@1"]);
  channel.send(leave([]));
  await stopped;
});

test("a worker that loses its host while it hands its agents over does not wait for it, and its next run is a new one", async () => {
  await using host = await placingHost();
  const clock = new ManualClock();
  const options = { worker: { clock, drainTimeoutMs: 60_000 }, type: { idleAfterMs: 1_000 } };
  const { channel, worker } = await roomsAt(host, options);
  channel.send(callTo("a", "h1"));
  expect(await takeShort(channel, 1)).toEqual(["answer h1"]);
  const stopped = worker.stop();
  expect(await takeShort(channel, 1)).toEqual(["leaving-worker"]);
  await host.kill();
  await stopped;
  await host.revive();
  await worker.start();
  const again = await host.channels.take();
  again.send(callTo("a", "h2"));
  expect(await takeShort(again, 1)).toEqual(["answer h2"]);
  clock.advance(1_000);
  expect(await takeShort(again, 1)).toEqual(["ask-leave idle a"]);
  again.send(callTo("a", "h3"));
  again.send(leave(["a"], "idle"));
  // It stays, as in a worker that never stopped.
  expect((await takeShort(again, 2)).sort()).toEqual(["answer h3", "stay a@1"]);
});

const Total = defineMessage("Total", z.object({ value: z.number() }));
const Add = defineMessage("Add", z.object({ value: z.number() }), { answer: Total });
const Count = defineState(z.object({ total: z.number() }), { initial: { total: 0 } });

test("a turn that goes on without its state holds its agent, and a call that it waits for is refused as state-conflict", async () => {
  await using host = await placingHost();
  const store = Object.defineProperty(new MemoryStateStore(), "writers", { value: "many" });
  const [gate, lost] = [new Gate(), new Gate()];
  class Counter extends persistentAgent(Count) {
    static override readonly shared = true;
    static override readonly handlers = handlerTable<Counter>().rpc(Add, async function ({ value }) {
      this.state.total += value;
      if (value !== 1) return Total({ value: this.state.total });
      await other();
      await this.saveNow().catch(() => lost.open());
      await gate.opened;
      return Total({ value: this.state.total });
    });
  }
  /** Another program writes the state. */
  const other = () => {
    const data = new TextEncoder().encode('{"total":100}');
    const write = { at: "put", contentType: "application/json", schemaVersion: 1, data } as const;
    const nothingElse = { reminders: [], mail: [], remembered: [] };
    const agent = { type: "room", key: "a" };
    return store.commit([{ agent, epoch: undefined, expected: { at: "anything" }, write, ...nothingElse }]);
  };
  const [worker, channel] = await host.worker({ stateStore: store });
  host.hurried.push(worker);
  await Counter.register(worker, "room", () => new Counter("counts"));
  const add = (requestId: string, value: number, more: Record<string, string> = {}, number = 1) => {
    const metadata = { agepoch: `1.2.${number}`, ...more };
    channel.send(requestFrame("room/a", { requestId, payload: jsonPayload("Add", { value }), metadata }));
  };
  add("h1", 1);
  await lost.opened;
  expect(await takeShort(channel, 1)).toEqual(["ask-leave stale a"]);
  add("h2", 2, { agpath: "h1@room/a" });
  const refused = await channel.received.take();
  expect(refused).toMatchObject({ requestId: "h2", metadata: { agerrorcode: "state-conflict", agnothandled: "1" } });
  channel.send(leave(["a"], "stale"));
  // Another activation here would stay when the agent has left.
  add("h2 again", 2, { agpath: "h1@room/a" });
  const refusedAgain = await channel.received.take();
  expect(refusedAgain).toMatchObject({ requestId: "h2 again", metadata: { agerrorcode: "state-conflict" } });
  // Its next worker must not have the agent while this turn runs.
  add("h3", 3);
  expect(await takeShort(channel, 1)).toEqual(["returned leaving a@1"]);
  gate.open();
  expect(await takeShort(channel, 2)).toEqual(["returned conflict a@1", "left a@1"]);
  add("h4", 4, {}, 2);
  expect(await channel.received.take()).toMatchObject({ payload: jsonPayload("Total", { value: 104 }) });
});

test("an agent that its host takes back as failed or stale, and that is neither, ends as moved", async () => {
  await using host = await placingHost();
  const { channel, seen } = await roomsAt(host);
  for (const reason of ["failed", "stale", "draining"] as const) {
    channel.send(callTo(reason, "h1"));
    expect(await takeShort(channel, 1)).toEqual(["answer h1"]);
    channel.send(leave([reason], reason));
    expect(await takeShort(channel, 1)).toEqual([`left ${reason}@1`]);
  }
  expect(seen.filter((one) => one.includes("ends"))).toEqual([
    "failed ends: moved",
    "stale ends: moved",
    "draining ends: draining",
  ]);
});

test("an event that went back is handled when the host sends it again, also by a worker that drops what it has had", async () => {
  await using host = await placingHost();
  const { channel, gate, seen } = await roomsAt(host, {
    worker: { rememberedEvents: 10 },
    type: { shared: true, concurrency: "sequential", subscriptions: [new TypeSubscription("news", "room")] },
  });
  channel.send(callTo("a", "h1", "wait"));
  channel.sendBytes(eventFor("a", "e1", { content: "told" }));
  await settled(channel);
  channel.send(leave(["a"]));
  expect(await takeShort(channel, 1)).toEqual(["returned leaving a@1"]);
  gate.open();
  expect(await takeShort(channel, 2)).toEqual(["answer h1", "left a@1"]);
  channel.sendBytes(eventFor("a", "e1", { content: "told", number: 2, alone: true }));
  channel.send(callTo("a", "h2", "last", 2));
  expect(await takeShort(channel, 1)).toEqual(["answer h2"]);
  expect(seen).toEqual(["a wait", "a ends: draining", "a told", "a last"]);
});

function textOf(message: unknown): string {
  // The agents of these tests get messages with a text alone.
  return (message as { readonly content: string }).content;
}

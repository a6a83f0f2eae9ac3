import { describe, expect, test } from "vitest";
import {
  AgentId,
  type MessageContext,
  type RegisterFactoryOptions,
  TopicId,
  TypeSubscription,
} from "../../../src/core/index.ts";
import type { WorkerRuntime } from "../../../src/worker/index.ts";
import { Gate } from "../../support/gate.ts";
import { Inbox } from "../../support/inbox.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { Ask, MyMessage, Reply } from "../../support/worker/messages.ts";
import { startRig } from "../../support/worker/worker-rig.ts";

const account = new AgentId("account", "ada");
const front = new AgentId("front", "k");

const ask = (worker: WorkerRuntime, to: AgentId, content: string) => worker.sendMessage(Ask({ content }), to);

type Do = (content: string, agent: FunctionAgent, context: MessageContext) => Promise<void> | void;

async function host(
  worker: WorkerRuntime,
  type: string,
  body: Do,
  options: RegisterFactoryOptions<FunctionAgent> = {},
) {
  worker.addMessageSerializer([Ask, Reply, MyMessage]);
  const handle = async (message: unknown, context: MessageContext, agent: FunctionAgent) => {
    const { content } = Ask.is(message) || MyMessage.is(message) ? message : { content: "" };
    await body(content, agent, context);
    return context.topicId === undefined ? Reply({ content }) : undefined;
  };
  await worker.registerFactory(type, () => new FunctionAgent(handle), options);
}

/** Two workers, and a sequential account on the second, whose handler of `wait` waits for the gate. */
async function openAccount(options: RegisterFactoryOptions<FunctionAgent>, maxConcurrentHandlers?: number) {
  const rig = await startRig();
  const caller = await rig.worker();
  caller.addMessageSerializer([Ask, Reply, MyMessage]);
  const worker = await rig.worker({ maxConcurrentHandlers, drainTimeoutMs: 0 });
  const gate = new Gate();
  const begun = new Inbox<string>();
  const body: Do = async (content) => {
    begun.put(content);
    if (content === "wait") await gate.opened;
  };
  const subscriptions = [new TypeSubscription("notes", "account")];
  await host(worker, "account", body, { concurrency: "sequential", subscriptions, ...options });
  const first = ask(caller, account, "wait");
  await begun.take();
  return { rig, caller, worker, gate, begun, first, [Symbol.asyncDispose]: () => rig[Symbol.asyncDispose]() };
}

describe("a worker with few handler slots", () => {
  test("gives none to messages that wait for their turn, so that one busy agent does not block it", async () => {
    await using stage = await openAccount({}, 2);
    const { caller, worker, gate, first } = stage;
    await host(worker, "front", () => undefined);
    const waiting = Array.from({ length: 5 }, (_, index) => ask(caller, account, String(index)));
    expect(await ask(caller, front, "x")).toEqual({ content: "x" });
    expect(worker.handlers).toEqual({ running: 1, parked: 5 });
    gate.open();
    const answers = await Promise.all([first, ...waiting]);
    expect(answers.map(({ content }) => content)).toEqual(["wait", "0", "1", "2", "3", "4"]);
    expect(await stage.begun.takeMany(5)).toEqual(["0", "1", "2", "3", "4"]);
    expect(worker.handlers).toEqual({ running: 0, parked: 0 });
  });

  test("lets a turn begin without a slot when a handler that holds one waits behind it", async () => {
    await using stage = await openAccount({}, 2);
    const { caller, worker, gate, first } = stage;
    const helping = new Gate();
    const go = new Gate();
    const helper = new AgentId("helper", "k");
    await host(worker, "front", async (content, agent) => {
      await agent.runtime.sendMessage(Ask({ content }), helper, { sender: agent.id });
    });
    await host(worker, "helper", async (content, agent) => {
      helping.open();
      await go.opened;
      await agent.runtime.sendMessage(Ask({ content }), account, { sender: agent.id });
    });
    const second = ask(caller, account, "second");
    const outer = ask(caller, front, "outer");
    await helping.opened;
    gate.open();
    await first;
    // Its turn has begun. Front and helper hold all slots, and more.
    expect(worker.handlers).toEqual({ running: 2, parked: 1 });
    go.open();
    await Promise.all([second, outer]);
    expect(await stage.begun.takeMany(2)).toEqual(["second", "outer"]);
    expect(worker.handlers).toEqual({ running: 0, parked: 0 });
  });

  test("has all its slots again after a stop that gave up a message which waited", async () => {
    await using stage = await openAccount({}, 1);
    const { worker, caller, first, rig } = stage;
    expect(worker.handlers).toEqual({ running: 1, parked: 0 });
    const outcomes = [first, ask(caller, account, "never")].map((call) => call.catch((error: unknown) => error));
    await rig.host.inspect();
    await worker.stop();
    expect(await Promise.all(outcomes)).toMatchObject([{ code: "shutting-down" }, { code: "shutting-down" }]);
    stage.gate.open();
    await worker.start();
    expect(worker.handlers).toEqual({ running: 0, parked: 0 });
    expect(await ask(caller, account, "again")).toEqual({ content: "again" });
    expect(stage.begun.rest).toEqual(["again"]);
  });
});

test("a worker counts the events that it dropped and the calls that it refused for want of room at a sequential agent", async () => {
  await using stage = await openAccount({ maxQueuedPerAgent: 1 });
  const { caller, worker, gate, first } = stage;
  const topic = new TopicId("notes", "ada");
  for (const content of ["1", "2"]) await caller.publishMessage(MyMessage({ content }), topic);
  await expect(ask(caller, account, "3")).rejects.toMatchObject({ code: "overloaded" });
  gate.open();
  await first;
  await ask(caller, account, "4");
  expect(await stage.begun.takeMany(2)).toEqual(["1", "4"]);
  expect(worker.counters()).toMatchObject({ droppedEvents: 1, refusedCalls: 1, failedEventHandlers: 0 });
});

test("messages that wait at one agent are bounded in bytes, and one alone may be longer", async () => {
  await using stage = await openAccount({ maxQueuedBytesPerAgent: 1_000 });
  const { caller, gate, first } = stage;
  const long = ask(caller, account, "x".repeat(2_000));
  await expect(ask(caller, account, "2")).rejects.toMatchObject({
    code: "overloaded",
    message: expect.stringContaining("maxQueuedBytesPerAgent"),
  });
  gate.open();
  await Promise.all([first, long]);
});

test("a call that waits for its turn is taken out when its caller is gone", async () => {
  await using stage = await openAccount({});
  const { rig, caller, worker, gate, begun } = stage;
  const other = await rig.worker();
  other.addMessageSerializer([Ask, Reply]);
  const lost = ask(other, account, "lost").catch((error: unknown) => error);
  await host(worker, "front", () => undefined);
  await ask(other, front, "x");
  await other.stop();
  await lost;
  await ask(caller, front, "x");
  expect(worker.counters().abandonedCalls).toBe(1);
  gate.open();
  await ask(caller, account, "next");
  expect(begun.rest).toEqual(["next"]);
});

test("events keep their order when a slot is given up while others wait for their agent to be made", async () => {
  await using rig = await startRig();
  const publisher = await rig.worker();
  publisher.addMessageSerializer(MyMessage);
  const worker = await rig.worker({ maxConcurrentHandlers: 3 });
  worker.addMessageSerializer(MyMessage);
  const made = new Gate();
  const seen = new Inbox<string>();
  const create = async () => {
    await made.opened;
    return new FunctionAgent(async (message) => {
      if (MyMessage.is(message)) seen.put(message.content);
      await new Promise((resolve) => setImmediate(resolve));
    });
  };
  const subscriptions = [new TypeSubscription("notes", "account")];
  await worker.registerFactory("account", create, { concurrency: "sequential", subscriptions });
  const contents = ["1", "2", "3", "4", "5", "6"];
  for (const content of contents) await publisher.publishMessage(MyMessage({ content }), new TopicId("notes", "ada"));
  while (worker.handlers.parked < 3) await new Promise((resolve) => setImmediate(resolve));
  made.open();
  expect(await seen.takeMany(6)).toEqual(contents);
});

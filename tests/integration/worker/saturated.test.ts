import { describe, expect, test } from "vitest";
import { AgentId, type MessageContext, TopicId, TypeSubscription } from "../../../src/core/index.ts";
import type { HostOptions } from "../../../src/host/index.ts";
import { Gate } from "../../support/gate.ts";
import { eventFrame, next, requestFrame } from "../../support/worker/frames.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { MyMessage } from "../../support/worker/messages.ts";
import { openStage, settled, until } from "../../support/worker/stage.ts";
import { startRig, type Transport } from "../../support/worker/worker-rig.ts";

const note = (content: string) => MyMessage({ content });
const topic = new TopicId("t", "s");
const patient = new AgentId("patient", "k");
const floodEvents = 500;

function abortOf({ signal }: MessageContext): Promise<{ readonly code?: unknown }> {
  if (signal.aborted) return Promise.resolve(signal.reason);
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(signal.reason)));
}

async function reached(condition: () => boolean): Promise<void> {
  while (!condition()) await settled();
}

/** A worker whose only slot is held by a handler that ends when it is told to, and the flood of events that waits behind it. */
async function openFlooded(transport: Transport, options: HostOptions = {}) {
  const rig = await startRig(transport, options);
  const worker = await rig.worker({ maxConcurrentHandlers: 1, maxParkedMessages: 20, drainTimeoutMs: 200 });
  const told = new Gate<unknown>();
  const begun = new Gate();
  let events = 0;
  worker.addMessageSerializer(MyMessage);
  await worker.registerFactory("counter", () => new FunctionAgent(() => ++events));
  await worker.addSubscription(new TypeSubscription("t", "counter"));
  await worker.registerFactory(
    "patient",
    () =>
      new FunctionAgent(async (_message, context) => {
        begun.open();
        told.open((await abortOf(context)).code);
      }),
  );
  const caller = await rig.worker();
  const aborting = new AbortController();
  const outcome = caller
    .sendMessage(note("wait"), patient, { signal: aborting.signal })
    .catch((error: unknown) => error);
  await begun.opened;
  for (let count = 0; count < floodEvents; count += 1) await caller.publishMessage(note(`${count}`), topic);
  await reached(() => worker.handlers.parked >= 10);
  return {
    ...{ rig, worker, caller, aborting, outcome, told },
    events: () => events,
    [Symbol.asyncDispose]: () => rig[Symbol.asyncDispose](),
  };
}

describe.each<Transport>(["memory", "gRPC"])("a worker with more to do than it takes, over %s", (transport) => {
  test("hears at once that a call was given up, and then handles every event that waited", async () => {
    await using scene = await openFlooded(transport);
    scene.aborting.abort();
    expect(await scene.outcome).toMatchObject({ code: "cancelled" });
    expect(await scene.told.opened).toBe("cancelled");
    await reached(() => scene.events() === floodEvents);
    expect(scene.worker.counters()).toMatchObject({ abandonedCalls: 1, droppedEvents: 0, refusedCalls: 0 });
    expect(scene.rig.host.counters()).toMatchObject({ droppedEvents: 0, lostNotices: 0 });
  });

  test("goes on when the time of a call is up at the host, though its caller has left", async () => {
    await using scene = await openFlooded(transport, { callTimeoutMs: 300 });
    expect(await scene.outcome).toMatchObject({ code: "timed-out" });
    await scene.caller.stop();
    expect(await scene.told.opened).toBe("timed-out");
    await reached(() => scene.events() === floodEvents);
    expect(scene.worker.handlers).toEqual({ running: 0, parked: 0 });
  });

  test.each([{ maxParkedMessages: 0 }, { maxParkedBytes: 0 }])(
    "that parks nothing (%o) goes on after its first busy moment",
    async (bound) => {
      await using rig = await startRig(transport);
      const worker = await rig.worker({ maxConcurrentHandlers: 1, ...bound });
      const begun = new Gate();
      const free = new Gate();
      let events = 0;
      worker.addMessageSerializer(MyMessage);
      const busy = async () => {
        begun.open();
        await free.opened;
        return undefined;
      };
      await worker.registerFactory("counter", () => new FunctionAgent(() => (events++ === 0 ? busy() : undefined)));
      await worker.addSubscription(new TypeSubscription("t", "counter"));
      const publisher = await rig.worker();
      await publisher.publishMessage(note("first"), topic);
      await begun.opened;
      free.open();
      await reached(() => worker.handlers.running === 0);
      await publisher.publishMessage(note("next"), topic);
      await reached(() => events === 2);
    },
  );

  test("hears that its host leaves", async () => {
    await using scene = await openFlooded(transport);
    const stopped = scene.rig.host.stop({ graceMs: 500 });
    expect(await until(scene.worker, "waiting")).toMatchObject({ reason: expect.stringContaining("is leaving") });
    await stopped;
  });
});

test("a Troupe host that has no stream for signals is read on: what can't be parked is dropped and counted, cancels come through", async () => {
  await using stage = await openStage({ maxConcurrentHandlers: 1, maxParkedMessages: 4 }, { windowBytes: 1_000 });
  const { worker, host } = stage;
  host.isTroupe = true;
  const told = new Gate<unknown>();
  worker.addMessageSerializer(MyMessage);
  await worker.registerFactory(
    "patient",
    () => new FunctionAgent(async (_message, context) => told.open((await abortOf(context)).code)),
  );
  await worker.registerFactory("counter", () => new FunctionAgent());
  await worker.addSubscription(new TypeSubscription("t", "counter"));
  await worker.start();
  const channel = await host.channels.take();
  channel.send(requestFrame("patient/k", { requestId: "h1" }));
  for (let id = 0; id < 50; id += 1) channel.send(eventFrame("t/k", { id: `${id}` }));
  channel.send(requestFrame("patient/k", { requestId: "h2" }));
  expect(await next(channel, "response")).toMatchObject({ requestId: "h2", metadata: { agerrorcode: "overloaded" } });
  channel.send({ kind: "cancel", requestId: "h1", reason: "cancelled" });
  expect(await told.opened).toBe("cancelled");
  expect(worker.counters().droppedEvents).toBe(46);
});

import { describe, expect, test } from "vitest";
import { AgentId, TopicId, TypeSubscription } from "../../../src/core/index.ts";
import { encodeFrame } from "../../../src/protocol/index.ts";
import type { WorkerRuntimeOptions } from "../../../src/worker/index.ts";
import { Gate } from "../../support/gate.ts";
import { eventFrame, jsonOf, next, requestFrame, responseFrame } from "../../support/worker/frames.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { MyMessage } from "../../support/worker/messages.ts";
import { comeBack, openStage, settled } from "../../support/worker/stage.ts";

const note = (content: string) => MyMessage({ content });
const topic = new TopicId("t", "s");
const target = new AgentId("b", "k");

describe("a host that takes slowly what is sent", () => {
  /** So little fits into the network, and then into the outbox. */
  const network = { windowBytes: 1_000, highWaterBytes: 1_000 };
  const kilobyte = "x".repeat(900);

  async function openSlow(options: Partial<WorkerRuntimeOptions> = {}) {
    const stage = await openStage({ maxOutboxBytes: 3_000, ...options }, network);
    await stage.worker.start();
    const channel = await stage.host.channels.take();
    channel.stream.pause();
    return { ...stage, channel };
  }

  /** Publishes until one has to wait for room; how many did not. */
  async function fill(worker: Awaited<ReturnType<typeof openSlow>>["worker"]) {
    for (let count = 0; ; count += 1) {
      let isDone = false;
      const published = worker.publishMessage(note(`${count} ${kilobyte}`), topic).then(() => {
        isDone = true;
      });
      await settled();
      if (!isDone) return { count, published };
    }
  }

  test("makes publishers wait for room, and gets everything in order", async () => {
    await using stage = await openSlow();
    const { worker, channel } = stage;
    const { count, published } = await fill(worker);
    expect(count).toBeGreaterThan(2);
    expect(count).toBeLessThan(10);
    channel.stream.resume();
    await published;
    for (let index = 0; index <= count; index += 1) {
      const { event } = await next(channel, "event");
      expect(jsonOf(event.payload)).toEqual({ content: `${index} ${kilobyte}` });
    }
    expect(worker.queuedCount).toBe(0);
  });

  test("lets a publisher that waits give up, without a trace", async () => {
    await using stage = await openSlow();
    const { worker, channel } = stage;
    const { count } = await fill(worker);
    const aborting = new AbortController();
    const outcome = worker
      .publishMessage(note("never"), topic, { signal: aborting.signal })
      .catch((error: unknown) => error);
    await settled();
    aborting.abort(new Error("enough"));
    expect(await outcome).toMatchObject({ code: "cancelled", cause: { message: "enough" } });
    channel.stream.resume();
    await worker.publishMessage(note("last"), topic);
    const contents: unknown[] = [];
    for (let index = 0; index <= count + 1; index += 1)
      contents.push(jsonOf((await next(channel, "event")).event.payload));
    expect(contents.at(-1)).toEqual({ content: "last" });
    expect(contents).not.toContainEqual({ content: "never" });
  });

  test("is asked nothing by a call whose time runs out before there is room", async () => {
    await using stage = await openSlow();
    const { worker, channel, clock } = stage;
    await fill(worker);
    const outcome = worker.sendMessage(note("q"), target, { timeoutMs: 50 }).catch((error: unknown) => error);
    await settled();
    clock.advance(50);
    expect(await outcome).toMatchObject({ code: "timed-out" });
    expect(worker.pendingCallsCount).toBe(0);
    channel.stream.resume();
    await worker.publishMessage(note("last"), topic);
    await settled();
    expect(channel.received.rest.filter(({ kind }) => kind === "request")).toEqual([]);
  });

  test("bounds what waits for room too: the rest is refused, and counted", async () => {
    await using stage = await openSlow();
    const { worker, channel } = stage;
    await fill(worker);
    const outcomes = Promise.allSettled(Array.from({ length: 20 }, () => worker.publishMessage(note(kilobyte), topic)));
    await settled();
    expect(worker.queuedCount).toBeLessThan(10);
    expect(worker.counters().overloadedSends).toBeGreaterThan(10);
    channel.stream.resume();
    const refused = (await outcomes).filter(({ status }) => status === "rejected");
    expect(refused.length).toBe(worker.counters().overloadedSends);
    for (const outcome of refused) expect(outcome).toMatchObject({ reason: { code: "overloaded" } });
  });

  test("bounds how many messages wait, however small they are", async () => {
    await using stage = await openSlow({ maxOutboxBytes: 1_000_000, maxOutboxMessages: 10 });
    const { worker, channel } = stage;
    const outcomes = Promise.allSettled(Array.from({ length: 100 }, () => worker.publishMessage(note("x"), topic)));
    await settled();
    expect(worker.queuedCount).toBeGreaterThan(10);
    expect(worker.queuedCount).toBeLessThanOrEqual(20);
    expect(worker.counters().overloadedSends).toBeGreaterThan(50);
    channel.stream.resume();
    const sent = (await outcomes).filter(({ status }) => status === "fulfilled");
    expect(sent.length).toBe(100 - worker.counters().overloadedSends);
  });

  test("and is lost gets what waited when it is back", async () => {
    await using stage = await openSlow();
    const { worker, host } = stage;
    const { count, published } = await fill(worker);
    await host.kill();
    await comeBack(stage);
    const channel = await host.channels.take();
    await published;
    await settled();
    const arrived = channel.received.rest.length;
    expect(arrived).toBeGreaterThanOrEqual(3);
    const { lostEvents, unconfirmedEvents } = worker.counters();
    expect(lostEvents).toBeGreaterThan(0);
    expect(arrived + lostEvents + unconfirmedEvents).toBe(count + 1);
    // Two kilobytes were in the network's own buffers, of which nobody can tell what became of them.
    expect(arrived + worker.counters().lostEvents).toBeGreaterThanOrEqual(count + 1 - 2);
  });

  test("does not make the worker take more: it is not read while it owes room for answers", async () => {
    await using stage = await openSlow();
    const { worker, channel } = stage;
    worker.addMessageSerializer(MyMessage);
    await worker.registerFactory("a", () => new FunctionAgent(() => note(kilobyte)));
    for (let call = 0; call < 100; call += 1) {
      channel.send(requestFrame("a/k", { requestId: `h${call}` }));
      await settled();
    }
    expect(channel.stream.queuedFrames).toBeGreaterThan(50);
    channel.stream.resume();
    for (let call = 0; call < 100; call += 1) await next(channel, "response");
  });
});

describe("a host that is owed more answers than it takes", () => {
  test("is read on while an answer is waited for: that one comes, and further calls are refused", async () => {
    await using stage = await openStage({ maxOutboxBytes: 3_000 }, { windowBytes: 1_000, highWaterBytes: 1_000 });
    const { worker, host } = stage;
    worker.addMessageSerializer(MyMessage);
    await worker.registerFactory("a", () => new FunctionAgent(() => note("x".repeat(900))));
    await worker.start();
    const channel = await host.channels.take();
    const asking = worker.sendMessage(note("q"), target);
    const { requestId } = await next(channel, "request");
    channel.stream.pause();
    for (let call = 0; call < 100; call += 1) {
      channel.send(requestFrame("a/k", { requestId: `h${call}` }));
      await settled();
    }
    channel.send(responseFrame(requestId));
    await asking;
    expect(worker.counters().refusedCalls).toBeGreaterThan(80);
    channel.stream.resume();
    for (let call = 0; call < 100; call += 1) await next(channel, "response");
  });
});

describe("maxConcurrentHandlers", () => {
  /** A worker whose handlers of events end when the test says so. */
  async function openBusy(options: Partial<WorkerRuntimeOptions> = {}) {
    const stage = await openStage(
      { maxConcurrentHandlers: 2, maxParkedMessages: 4, ...options },
      { windowBytes: 1_000 },
    );
    const { worker, host } = stage;
    const begun: { readonly end: () => void }[] = [];
    worker.addMessageSerializer(MyMessage);
    await worker.registerFactory(
      "a",
      () =>
        new FunctionAgent(async () => {
          const gate = new Gate();
          begun.push({ end: () => gate.open() });
          await gate.opened;
        }),
    );
    await worker.addSubscription(new TypeSubscription("t", "a"));
    await worker.start();
    return { ...stage, channel: await host.channels.take(), begun };
  }

  const event = (id: string) => eventFrame("t/k", { id });

  test("bounds how many run; the others run in turn", async () => {
    await using stage = await openBusy();
    const { worker, channel, begun } = stage;
    for (const id of ["1", "2", "3", "4"]) channel.send(event(id));
    await settled();
    expect(worker.handlers).toEqual({ running: 2, parked: 2 });
    begun.shift()?.end();
    await settled();
    expect(worker.handlers).toEqual({ running: 2, parked: 1 });
    while (begun.length > 0) {
      begun.shift()?.end();
      await settled();
    }
    expect(worker.handlers).toEqual({ running: 0, parked: 0 });
  });

  test("holds the host by flow control when half of what may be parked is, and loses nothing", async () => {
    await using stage = await openBusy();
    const { worker, channel, begun } = stage;
    for (let id = 0; id < 100; id += 1) channel.send(event(String(id)));
    await settled();
    expect(worker.handlers.parked).toBeLessThanOrEqual(4);
    expect(channel.stream.queuedFrames).toBeGreaterThan(80);
    let ended = 0;
    while (begun.length > 0) {
      begun.shift()?.end();
      ended += 1;
      await settled();
    }
    expect(ended).toBe(100);
    expect(worker.counters().droppedEvents).toBe(0);
  });

  const note1000 = { note: "x".repeat(1_000) };
  test.each([
    { what: "calls", frame: (id: string) => requestFrame("a/k", { requestId: id, metadata: note1000 }) },
    { what: "events", frame: (id: string) => eventFrame("t/k", { id, attributes: note1000 }) },
  ])("holds the host when $what with long metadata are parked, however short their messages are", async ({ frame }) => {
    await using stage = await openBusy({ maxParkedMessages: 1_000, maxParkedBytes: 4_000 });
    const { worker, channel, begun } = stage;
    for (let id = 0; id < 30; id += 1) channel.send(frame(String(id)));
    await settled();
    expect(worker.handlers.running).toBe(2);
    expect(worker.handlers.parked).toBeLessThanOrEqual(4);
    let ended = 0;
    while (begun.length > 0) {
      begun.shift()?.end();
      ended += 1;
      await settled();
    }
    expect(ended).toBe(30);
  });

  test("never holds an answer that is waited for: it is read on, and what can't be parked is dropped, counted, or answered", async () => {
    await using stage = await openBusy();
    const { worker, channel, begun } = stage;
    const asking = worker.sendMessage(note("q"), target);
    const own = await next(channel, "request");
    for (let id = 0; id < 20; id += 1) channel.send(event(String(id)));
    channel.send(requestFrame("a/k", { requestId: "h1" }));
    channel.send(responseFrame(own.requestId));
    await asking;
    expect(worker.handlers).toEqual({ running: 2, parked: 4 });
    expect(worker.counters().droppedEvents).toBe(14);
    expect(await next(channel, "response")).toMatchObject({
      requestId: "h1",
      metadata: { agerrortype: "UndeliverableException", agerrorcode: "overloaded" },
    });
    expect(worker.counters().refusedCalls).toBe(1);
    while (begun.length > 0) {
      begun.shift()?.end();
      await settled();
    }
  });

  test("lets calls between agents of the same worker pass: a handler may be waiting for them", async () => {
    await using stage = await openStage({ maxConcurrentHandlers: 1 });
    const { worker, host } = stage;
    worker.addMessageSerializer(MyMessage);
    await worker.registerFactory("inner", () => new FunctionAgent());
    await worker.registerFactory(
      "outer",
      () =>
        new FunctionAgent((_message, _context, agent) =>
          agent.runtime.sendMessage(note("in"), new AgentId("inner", "k"), { sender: agent.id }),
        ),
    );
    await worker.start();
    const channel = await host.channels.take();
    channel.send(requestFrame("outer/k", { requestId: "h1" }));
    const { requestId, source } = await next(channel, "request");
    channel.send(requestFrame("inner/k", { requestId: "h2", source }));
    expect(await next(channel, "response")).toMatchObject({ requestId: "h2", error: "" });
    channel.send(responseFrame(requestId));
    expect(await next(channel, "response")).toMatchObject({ requestId: "h1", error: "" });
  });

  test("does not start the handler of a call whose time is up before there is a slot: it is answered, and others are handled", async () => {
    await using stage = await openBusy({ maxConcurrentHandlers: 1 });
    const { worker, channel, clock, begun } = stage;
    channel.send(event("running"));
    channel.send(requestFrame("a/k", { requestId: "h1", metadata: { agtimeoutms: "50" } }));
    channel.send(requestFrame("a/k", { requestId: "h2", metadata: { agtimeoutms: "90" } }));
    await settled();
    clock.advance(50);
    expect(await next(channel, "response")).toMatchObject({ requestId: "h1", metadata: { agerrorcode: "timed-out" } });
    expect(worker.handlers).toEqual({ running: 1, parked: 1 });
    begun.shift()?.end();
    await settled();
    expect(worker.handlers).toEqual({ running: 1, parked: 0 });
    begun.shift()?.end();
    expect(await next(channel, "response")).toMatchObject({ requestId: "h2", error: "" });
    expect(begun).toEqual([]);
    expect(worker.handlers).toEqual({ running: 0, parked: 0 });
  });

  test("answers for parked calls, and counts parked events, when the worker stops", async () => {
    await using stage = await openBusy({ drainTimeoutMs: 100, maxConcurrentHandlers: 1 });
    const { worker, channel, clock } = stage;
    channel.send(event("running"));
    channel.send(event("parked"));
    channel.send(requestFrame("a/k", { requestId: "h1" }));
    await settled();
    const stopped = worker.stop();
    await settled();
    clock.advance(100);
    expect(await next(channel, "response")).toMatchObject({ requestId: "h1", error: "The worker is shutting down." });
    await stopped;
    expect(worker.counters().eventsAfterStop).toBe(1);
    expect(worker.handlers.parked).toBe(0);
  });
});

describe("a message that can't be read", () => {
  test("fails the call whose answer it was, at once", async () => {
    await using stage = await openStage({}, { maxReceiveMessageBytes: 2_000 });
    const { worker, host } = stage;
    await worker.start();
    const channel = await host.channels.take();
    const outcomes = [1, 2].map(() => worker.sendMessage(note("q"), target).catch((error: unknown) => error));
    const first = await next(channel, "request");
    const second = await next(channel, "request");
    const payload = { typeName: "MyMessage", contentType: "application/json", data: new Uint8Array(3_000) };
    channel.send(responseFrame(first.requestId, { payload }));
    channel.sendBytes(broken(encodeFrame(responseFrame(second.requestId, { error: "x" }))));
    expect(await outcomes[0]).toMatchObject({ code: "message-too-large" });
    expect(await outcomes[1]).toMatchObject({ code: "invalid-message" });
    expect(worker.counters().unreadableFrames).toBe(2);
  });

  test("is answered if it is a call", async () => {
    await using stage = await openStage({}, { maxReceiveMessageBytes: 2_000 });
    const { worker, host } = stage;
    await worker.start();
    const channel = await host.channels.take();
    const payload = { typeName: "MyMessage", contentType: "application/json", data: new Uint8Array(3_000) };
    channel.send(requestFrame("a/k", { requestId: "h1", payload }));
    const metadata = { agerrorcode: "message-too-large" };
    expect(await next(channel, "response")).toMatchObject({ requestId: "h1", metadata });
  });
});

describe("a message over 4 MiB", () => {
  const long = "x".repeat(5 * 1024 * 1024);

  test("is refused here towards a host that is not Troupe's, whose channel it would end", async () => {
    await using stage = await openStage();
    const { worker, host, clock } = stage;
    await worker.start();
    const channel = await host.channels.take();
    const outcome = worker.sendMessage(note(long), target).catch((error: unknown) => error);
    await settled();
    clock.advance(1_000);
    expect(await outcome).toMatchObject({
      code: "message-too-large",
      message: expect.stringContaining("stockHostMax"),
    });
    await expect(worker.publishMessage(note(long), topic)).rejects.toMatchObject({ code: "message-too-large" });
    await worker.publishMessage(note("short"), topic);
    await next(channel, "event");
  });

  test("is sent to a host of Troupe's, and wherever the limit is lifted", async () => {
    await using stage = await openStage();
    const { host } = stage;
    const lifted = host.newWorker({ stockHostMaxBytes: 0 });
    await lifted.start();
    await lifted.publishMessage(note(long), topic);
    await next(await host.channels.take(), "event");
    host.isTroupe = true;
    const worker = host.newWorker();
    await worker.start();
    await worker.publishMessage(note(long), topic);
    await worker.publishMessage(note("short"), topic);
    const channel = await host.channels.take();
    expect((await next(channel, "event")).event.payload.data.length).toBeGreaterThan(long.length);
    expect(jsonOf((await next(channel, "event")).event.payload)).toEqual({ content: "short" });
  });
});

/** Ends too early. */
const broken = (bytes: Uint8Array): Uint8Array => bytes.slice(0, -1);

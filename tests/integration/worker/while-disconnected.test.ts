import { describe, expect, test } from "vitest";
import { AgentId, TopicId } from "../../../src/core/index.ts";
import { jsonOf, next, responseFrame } from "../../support/worker/frames.ts";
import { MyMessage } from "../../support/worker/messages.ts";
import { comeBack, openStage, settled, until } from "../../support/worker/stage.ts";

const note = (content: string) => MyMessage({ content });
const topic = new TopicId("t", "s");
const target = new AgentId("b", "k");

/** A stage whose worker has just lost its host. */
async function openLonely(options: Parameters<typeof openStage>[0] = {}) {
  const stage = await openStage(options);
  await stage.worker.start();
  await stage.host.channels.take();
  await stage.host.kill();
  await until(stage.worker, "waiting");
  return stage;
}

describe("events published while there is no host", () => {
  test("wait, and are sent in their order when the worker is back", async () => {
    await using stage = await openLonely();
    const { host, worker } = stage;
    for (const content of ["1", "2", "3"]) await worker.publishMessage(note(content), topic);
    expect(worker.queuedCount).toBe(3);
    await comeBack(stage);
    const channel = await host.channels.take();
    const contents: unknown[] = [];
    for (let count = 0; count < 3; count += 1) contents.push(jsonOf((await next(channel, "event")).event.payload));
    expect(contents).toEqual([{ content: "1" }, { content: "2" }, { content: "3" }]);
    expect(worker.queuedCount).toBe(0);
    expect(worker.counters().lostEvents).toBe(0);
  });

  test("are refused by option", async () => {
    await using stage = await openLonely({ whileDisconnected: { events: "reject" } });
    await expect(stage.worker.publishMessage(note("1"), topic)).rejects.toMatchObject({ code: "disconnected" });
    await comeBack(stage);
    await stage.worker.publishMessage(note("2"), topic);
  });

  test("beyond the bound in number are refused, and counted", async () => {
    await using stage = await openLonely({ whileDisconnected: { maxQueuedMessages: 2 } });
    const { worker } = stage;
    await worker.publishMessage(note("1"), topic);
    await worker.publishMessage(note("2"), topic);
    await expect(worker.publishMessage(note("3"), topic)).rejects.toMatchObject({ code: "overloaded" });
    expect(worker.counters().overloadedSends).toBe(1);
    await comeBack(stage);
    await worker.publishMessage(note("4"), topic);
  });

  test("beyond the bound in bytes are refused", async () => {
    await using stage = await openLonely({ whileDisconnected: { maxQueuedBytes: 1_200 } });
    const { worker } = stage;
    await worker.publishMessage(note("x".repeat(700)), topic);
    await expect(worker.publishMessage(note("x".repeat(700)), topic)).rejects.toMatchObject({ code: "overloaded" });
    await worker.publishMessage(note("short"), topic);
    await comeBack(stage);
  });

  test("are sent by a stop if the host comes in time", async () => {
    await using stage = await openLonely({ drainTimeoutMs: 10_000 });
    const { host, clock, worker } = stage;
    await worker.publishMessage(note("last words"), topic);
    const stopped = worker.stop();
    await host.revive();
    while (host.channels.rest.length === 0) {
      clock.advance(100);
      await settled();
    }
    const channel = await host.channels.take();
    expect((await next(channel, "event")).event.topicType).toBe("t");
    await stopped;
    expect(worker.counters().lostEvents).toBe(0);
    expect(host.methods).toEqual([]);
  });

  test("are counted as lost when the worker stops and no host comes", async () => {
    await using stage = await openLonely({ drainTimeoutMs: 1_000 });
    const { host, clock, worker } = stage;
    await worker.publishMessage(note("1"), topic);
    await worker.publishMessage(note("2"), topic);
    const stopped = worker.stop();
    for (let ms = 0; ms < 1_000; ms += 100) {
      clock.advance(100);
      await settled();
    }
    await stopped;
    expect(worker.counters().lostEvents).toBe(2);
    expect(host.logger.texts("error").join()).toContain("2 queued events");
    expect(clock.pendingTimers).toBe(0);
  });

  test("hold up no stop when there are none", async () => {
    await using stage = await openLonely({ drainTimeoutMs: 1_000 });
    await stage.worker.stop();
    expect(stage.clock.pendingTimers).toBe(0);
    expect(await stage.worker.closed).toEqual({ by: "stopped" });
  });

  test("are counted as lost when the host is given up", async () => {
    await using stage = await openLonely({ reconnect: { maxAttempts: 1 } });
    const { clock, worker } = stage;
    await worker.publishMessage(note("1"), topic);
    clock.advance(100);
    expect(await worker.closed).toMatchObject({ by: "lost" });
    expect(worker.counters().lostEvents).toBe(1);
    await expect(worker.publishMessage(note("2"), topic)).rejects.toMatchObject({ code: "disconnected" });
  });
});

describe("a call made while there is no host", () => {
  test("is sent if the worker is back soon", async () => {
    await using stage = await openLonely();
    const answer = stage.worker.sendMessage(note("q"), target);
    await comeBack(stage);
    const channel = await stage.host.channels.take();
    const { requestId } = await next(channel, "request");
    channel.send(responseFrame(requestId));
    expect(await answer).toBeUndefined();
  });

  test("is rejected after a short wait otherwise, and was not sent", async () => {
    await using stage = await openLonely({ whileDisconnected: { callWaitMs: 50 } });
    const outcome = stage.worker.sendMessage(note("q"), target).catch((error: unknown) => error);
    await settled();
    stage.clock.advance(50);
    expect(await outcome).toMatchObject({ code: "disconnected", message: expect.stringContaining("not sent") });
    await comeBack(stage);
    const channel = await stage.host.channels.take();
    await settled();
    expect(channel.received.rest).toEqual([]);
    expect(stage.worker.pendingCallsCount).toBe(0);
  });

  test("waits as long as it may by option", async () => {
    await using stage = await openLonely({
      whileDisconnected: { calls: "queue" },
      reconnect: { initialDelayMs: 60_000, maxDelayMs: 60_000 },
    });
    const { clock, worker, host } = stage;
    const patient = worker.sendMessage(note("patient"), target);
    const bounded = worker.sendMessage(note("bounded"), target, { timeoutMs: 100_000 });
    const hurried = worker.sendMessage(note("hurried"), target, { timeoutMs: 30_000 }).catch((error: unknown) => error);
    const aborting = new AbortController();
    const aborted = worker
      .sendMessage(note("aborted"), target, { signal: aborting.signal })
      .catch((error: unknown) => error);
    await settled();
    aborting.abort();
    clock.advance(30_000);
    expect(await hurried).toMatchObject({ code: "timed-out" });
    expect(await aborted).toMatchObject({ code: "cancelled" });
    expect(worker.queuedCount).toBe(2);
    await host.revive();
    clock.advance(30_000);
    const channel = await host.channels.take();
    const first = await next(channel, "request");
    const second = await next(channel, "request");
    expect(jsonOf(first.payload)).toEqual({ content: "patient" });
    expect(first.metadata).toEqual({});
    // Waiting for the host was part of its time.
    expect(second.metadata.agtimeoutms).toBe("40000");
    for (const { requestId } of [first, second]) channel.send(responseFrame(requestId));
    await Promise.all([patient, bounded]);
  });
});

import { TopicId, TypeSubscription } from "troupe";
import { GrpcWorkerAgentRuntime, GrpcWorkerAgentRuntimeHost } from "troupe/grpc";
import { startFaultProxy } from "troupe/testing";
import { describe, expect, test, vi } from "vitest";
import { OrderedArrivals, Reader } from "../../support/load/agents.ts";
import { Note } from "../../support/load/messages.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

const keepAliveMs = 20;
const count = 300;
const topic = new TopicId("news", "k");

/** A publisher and a reader with a host between them; one of them by a proxy. */
async function openWorld(far: "publisher" | "reader") {
  const logger = new RecordingLogger();
  const host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", {
    logger,
    channelOptions: { pingIntervalMs: keepAliveMs },
  });
  await host.start();
  const proxy = await startFaultProxy({ target: host.address });
  const start = async (who: typeof far) => {
    const worker = new GrpcWorkerAgentRuntime(who === far ? proxy.address : host.address, { logger, keepAliveMs });
    await worker.start();
    return worker;
  };
  const [publisher, reader] = [await start("publisher"), await start("reader")];
  const arrivals = new OrderedArrivals();
  await Reader.register(reader, "reader", () => new Reader(arrivals));
  await reader.addSubscription(new TypeSubscription("news", "reader"));
  const publish = (number: number) =>
    publisher.publishMessage(Note({ publisher: "p", number, text: "x".repeat(500) }), topic);
  return {
    ...{ host, proxy, publisher, reader, arrivals, publish },
    async [Symbol.asyncDispose]() {
      await Promise.all([publisher.stop(), reader.stop()]);
      await proxy.close();
      await host.stop();
    },
  };
}

describe("an event that a broken connection has taken", () => {
  test("is counted by the worker that sent it", async () => {
    await using world = await openWorld("publisher");
    const { host, proxy, publisher, arrivals, publish } = world;
    proxy.apply({ kind: "throttle", bytesPerSecond: 200_000, in: "to-target" });
    for (let number = 1; number <= count; number += 1) await publish(number);
    await arrivals.count.reaches(count / 10);
    proxy.apply({ kind: "reset" });
    proxy.heal();
    await vi.waitFor(() => expect(publisher.counters().reconnections).toBe(1), 10_000);
    await publish(count + 1);
    await vi.waitFor(() => expect(host.counters().events + missing()).toBeGreaterThanOrEqual(count + 1), 10_000);
    const { lostEvents, unconfirmedEvents } = publisher.counters();
    expect(lostEvents + unconfirmedEvents).toBeGreaterThan(0);
    // Whatever an answer had confirmed before is in no doubt.
    expect(lostEvents + unconfirmedEvents).toBeLessThanOrEqual(count);
    function missing() {
      return publisher.counters().lostEvents + publisher.counters().unconfirmedEvents;
    }
  });

  test("is counted by the host that sent it on", async () => {
    await using world = await openWorld("reader");
    const { host, proxy, reader, arrivals, publish } = world;
    proxy.apply({ kind: "throttle", bytesPerSecond: 200_000, in: "to-client" });
    for (let number = 1; number <= count; number += 1) await publish(number);
    await arrivals.count.reaches(count / 10);
    await vi.waitFor(() => expect(host.counters().events).toBe(count));
    proxy.apply({ kind: "reset" });
    proxy.heal();
    await vi.waitFor(() => expect(reader.counters().reconnections).toBe(1), 10_000);
    const { lostEvents, unconfirmedEvents, unroutableEvents } = host.counters();
    expect(lostEvents + unconfirmedEvents + unroutableEvents).toBeGreaterThanOrEqual(count - arrivals.count.value);
    expect(lostEvents + unconfirmedEvents).toBeLessThanOrEqual(count);
  });

  test("is none when the worker had time to be sure: its end in order, or the next answer, confirms all", async () => {
    await using world = await openWorld("publisher");
    const { host, publisher, reader, arrivals, publish } = world;
    for (let number = 1; number <= count; number += 1) await publish(number);
    await arrivals.count.reaches(count);
    await publisher.stop();
    await reader.stop();
    expect(publisher.counters()).toMatchObject({ lostEvents: 0, unconfirmedEvents: 0 });
    await vi.waitFor(() => expect(host.counters().channels).toBe(0));
    expect(host.counters()).toMatchObject({ lostEvents: 0, unconfirmedEvents: 0, unreadFrames: 0 });
  });
});

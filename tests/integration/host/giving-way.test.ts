import { expect, test } from "vitest";
import { GrpcWorkerAgentRuntimeHost } from "../../../src/grpc/index.ts";
import { grpcDialer, StatusCode } from "../../../src/transport/index.ts";
import { prefix, RawWorker } from "../../support/raw-worker.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

const MiB = 1024 * 1024;
const long = "n".repeat(1_000);

/** Subscribes under long names until the host refuses; returns the text. */
async function subscribeAll(worker: RawWorker): Promise<string> {
  for (let nr = 0; ; nr += 1) {
    try {
      await worker.subscribe(`${worker.clientId}-${nr}`, prefix(`${worker.clientId}.${nr}.${long}`, "a"));
    } catch (error) {
      return error instanceof Error ? error.message : "";
    }
  }
}

test("the client with the most registrations loses them and its channel when one with few finds no space", async () => {
  const logger = new RecordingLogger();
  await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", { maxMemoryBytes: 2 * MiB, logger });
  await host.start();
  const join = (id: string) => new RawWorker(grpcDialer().dial(host.address), id).join();
  const most = await join("most");
  expect(await subscribeAll(most)).toMatch(
    /^The host keeps \d+ bytes of 2097152 \(maxMemoryBytes\), \d+ of them for this client/,
  );
  const held = host.counters().subscriptions;
  expect(held).toBeGreaterThan(50);
  const more = await join("more");
  await subscribeAll(more);
  const modest = await join("modest");
  await modest.register("modest");
  await modest.subscribe("mine", prefix("news", "modest"));
  expect(await most.ended).toMatchObject({
    by: "status",
    status: { code: StatusCode.resourceExhausted, details: expect.stringContaining("more than any other") },
  });
  const left = await modest.subscriptions();
  expect(left.filter(({ id }) => id.startsWith("most"))).toEqual([]);
  expect(left.map(({ id }) => id)).toContain("mine");
  expect(host.counters().gaveWay).toBe(1);
  expect(logger.lines.find(({ text }) => text.includes("gave way"))?.fields).toMatchObject({ name: "client most" });
  // It may come back, and finds nothing of what it had.
  const again = await join("most");
  await again.subscribe("again", prefix("news", "a"));
  for (const worker of [most, more, modest, again]) await worker.link.close();
});

test("a host holds nothing for its clients when all have gone", async () => {
  await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", { reconnectGraceMs: 0 });
  await host.start();
  const workers = await Promise.all(
    ["a", "b", "c"].map((id) => new RawWorker(grpcDialer().dial(host.address), id).join()),
  );
  for (const worker of workers) {
    await worker.register(`${worker.clientId}`);
    await worker.subscribe(`${worker.clientId}`, prefix("news", `${worker.clientId}`));
    worker.request("unanswered", "a/k");
    worker.publish("news");
    await worker.settled();
  }
  expect(host.counters().heldBytes).toBeGreaterThan(100_000);
  for (const worker of workers) await worker.link.close();
  while (host.counters().heldBytes > 0) await new Promise((resolve) => setImmediate(resolve));
  expect(host.counters()).toMatchObject({ heldBytes: 0, pendingCalls: 0, subscriptions: 0 });
});

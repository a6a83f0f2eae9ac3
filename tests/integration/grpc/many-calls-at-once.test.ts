import { expect, test } from "vitest";
import { TypeSubscription } from "../../../src/core/index.ts";
import { GrpcWorkerAgentRuntime, GrpcWorkerAgentRuntimeHost } from "../../../src/grpc/index.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";

test("a worker that registers many agent types at once gets no warning of a leak from Node", async () => {
  const warnings: string[] = [];
  const onWarning = ({ name }: Error) => warnings.push(name);
  process.on("warning", onWarning);
  try {
    const logger = new RecordingLogger();
    await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", { logger });
    await host.start();
    await using worker = new GrpcWorkerAgentRuntime(host.address, { logger });
    for (let number = 0; number < 12; number += 1)
      await worker.registerFactory(`early${number}`, () => new FunctionAgent());
    await worker.start();
    const late = Array.from({ length: 12 }, (_, number) =>
      worker.registerFactory(`late${number}`, () => new FunctionAgent()),
    );
    await Promise.all(late);
    await new Promise((resolve) => setImmediate(resolve));
  } finally {
    process.off("warning", onWarning);
  }
  expect(warnings).toEqual([]);
});

test("a start with very many subscriptions takes memory in proportion to them", async () => {
  const subscriptions = 4_000;
  const logger = new RecordingLogger();
  await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", { logger });
  await host.start();
  await using worker = new GrpcWorkerAgentRuntime(host.address, { logger });
  await worker.registerFactory("reader", () => new FunctionAgent());
  for (let number = 0; number < subscriptions; number += 1)
    await worker.addSubscription(new TypeSubscription(`topic${number}`, "reader"));
  const before = process.memoryUsage().heapUsed;
  await worker.start();
  const grownBytes = process.memoryUsage().heapUsed - before;
  // Twelve kilobytes for each call that was under way; every call noting every other one took 590 MB in all.
  expect(grownBytes).toBeLessThan(subscriptions * 50_000);
});

test.each(["before", "after"])("a type that is registered twice %s the start is refused for the type", async (when) => {
  const logger = new RecordingLogger();
  await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", { logger });
  await host.start();
  await using worker = new GrpcWorkerAgentRuntime(host.address, { logger });
  if (when === "after") await worker.start();
  const register = () =>
    worker.registerFactory("reader", () => new FunctionAgent(), {
      subscriptions: [new TypeSubscription("t", "reader")],
    });
  await register();
  await expect(register()).rejects.toMatchObject({
    code: "already-exists",
    message: expect.stringContaining("Agent with type reader already exists"),
  });
});

import { expect, test } from "vitest";
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

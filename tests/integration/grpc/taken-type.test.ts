import { AgentId } from "troupe";
import { GrpcWorkerAgentRuntime, GrpcWorkerAgentRuntimeHost } from "troupe/grpc";
import { startFaultProxy } from "troupe/testing";
import { describe, expect, test } from "vitest";
import { RecordingLogger } from "../../support/recording-logger.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { Ask, Reply } from "../../support/worker/messages.ts";
import { until } from "../../support/worker/stage.ts";

/** Agents that answer with the name of their worker. */
function named(name: string) {
  return () => new FunctionAgent(() => Reply({ content: name }));
}

describe("a worker one of whose types was taken by another while its link was lost", () => {
  test("calls, and is called at its other type, as before; the taken one is the other worker's [§8.102]", async () => {
    await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0");
    await host.start();
    await using proxy = await startFaultProxy({ target: host.address });
    const logger = new RecordingLogger();
    await using a = new GrpcWorkerAgentRuntime(proxy.address, { logger, reconnect: { initialDelayMs: 20 } });
    await using b = new GrpcWorkerAgentRuntime(host.address, { logger });
    for (const worker of [a, b]) {
      worker.addMessageSerializer([Ask, Reply]);
      await worker.start();
    }
    for (const type of ["shared", "other"]) await a.registerFactory(type, named("A"));

    proxy.apply({ kind: "refuse" });
    proxy.apply({ kind: "close" });
    await until(a, "waiting");
    await b.registerFactory("shared", named("B"));
    proxy.heal();
    await until(a, "connected");

    const answers = [a, b].flatMap((worker) =>
      ["shared", "other"].map((type) => worker.sendMessage(Ask({ content: "who?" }), new AgentId(type, "k"))),
    );
    expect((await Promise.all(answers)).map(({ content }) => content)).toEqual(["B", "A", "B", "A"]);
    expect(logger.texts("warn").filter((text) => text.includes("Agent type shared is left to another"))).toHaveLength(
      1,
    );
  });
});

import { defineMessage } from "troupe";
import { GrpcWorkerAgentRuntime, GrpcWorkerAgentRuntimeHost } from "troupe/grpc";
import { expect, test } from "vitest";
import * as z from "zod";
import { NodeProgram } from "../support/node-program.ts";
import { RecordingLogger } from "../support/recording-logger.ts";
import { FunctionAgent } from "../support/worker/function-agent.ts";

const Ask = defineMessage("Ask", z.object({ text: z.string() }));

test.each([
  ["by a call", 0],
  ["inside the channel", 15_000],
])(
  "a worker that computes for long and asks its host %s keeps it, and gets the answers that came meanwhile",
  async (_how, heartbeatMs) => {
    await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0");
    await host.start();
    await using echo = new GrpcWorkerAgentRuntime(host.address);
    echo.addMessageSerializer(Ask);
    // The answer to the second call comes while its caller computes.
    const answer = async (message: unknown) => {
      if (Ask.is(message) && message.text === "hello") await program.output(/computing/);
    };
    await echo.registerFactory("echo", () => new FunctionAgent(answer));
    await echo.start();
    await using program = new NodeProgram("tests/e2e/programs/computing-worker.ts", [host.address, `${heartbeatMs}`]);
    const { stdout, stderr } = await program.ended;
    expect([stderr, stdout]).toEqual(["", `computing\n${JSON.stringify({ reconnections: 0, call: "answered" })}\n`]);
  },
);

test.each([
  ["by a call", 0],
  ["inside the channel", 15_000],
])("a host that computes for long keeps its workers, also one that asks %s", async (_how, heartbeatMs) => {
  await using program = new NodeProgram("tests/e2e/programs/computing-host.ts");
  const [, address = ""] = await program.output(/listening on (.+)/);
  const keepAlive = { keepAliveMs: 50, keepAliveTimeoutMs: 1_500, heartbeatMs };
  await using worker = new GrpcWorkerAgentRuntime(address, { ...keepAlive, logger: new RecordingLogger() });
  await worker.start();
  program.signal("SIGUSR2");
  await program.output(/computed/);
  expect(worker.counters().reconnections).toBe(0);
  expect(worker.isRunning).toBe(true);
});

import { AgentId } from "troupe";
import { GrpcWorkerAgentRuntime, GrpcWorkerAgentRuntimeHost } from "troupe/grpc";
import { expect, test } from "vitest";
import { NodeProgram } from "../support/node-program.ts";
import { RecordingLogger } from "../support/recording-logger.ts";
import { AskLines, Line } from "./programs/streaming-worker.ts";

test("a reader whose target's process is killed has the chunks so far, then disconnected", async () => {
  await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", { logger: new RecordingLogger() });
  await host.start();
  await using program = new NodeProgram("tests/e2e/programs/streaming-worker.ts", [host.address]);
  await program.output(/serving/);
  await using caller = new GrpcWorkerAgentRuntime(host.address, { logger: new RecordingLogger() });
  await caller.start();
  caller.addMessageSerializer([AskLines, Line]);
  const stream = caller.stream(AskLines({ lines: 2 }), new AgentId("poet", "k"));
  const reading = stream[Symbol.asyncIterator]();
  for (const text of ["0", "1"]) expect(await reading.next()).toEqual({ done: false, value: Line({ text }) });
  const last = reading.next();
  last.catch(() => undefined);
  await program.stop("SIGKILL");
  await expect(last).rejects.toMatchObject({ code: "disconnected" });
  await expect(stream.answer).rejects.toMatchObject({ code: "disconnected" });
  expect(host.counters()).toMatchObject({ chunks: 2, pendingCalls: 0 });
});

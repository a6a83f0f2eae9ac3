import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import { AgentId, defineMessage, handlerTable, RoutedAgent, SingleThreadedAgentRuntime, TimedOutError } from "troupe";
import { startTestHost } from "troupe/testing";
import { WorkerRuntime } from "troupe/worker";
import { z } from "zod";

const Ask = defineMessage("Ask", z.object({ question: z.string() }));
const echoId = new AgentId("echo", "default");

class Echo extends RoutedAgent {
  static override readonly handlers = handlerTable<Echo>().message(Ask, (ask) => ask);
}

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

test("an in-process runtime handles one message at a time", async () => {
  const runtime = new SingleThreadedAgentRuntime();
  await Echo.register(runtime, "echo", () => new Echo("echoes"));
  const call = runtime.sendMessage(Ask({ question: "why?" }), echoId);
  await runtime.processNext();
  await runtime.processNext();
  expect(await call).toEqual(Ask({ question: "why?" }));
});

test.each(["memory", "grpc"] as const)("a caller gives up after five seconds on a %s link", async (link) => {
  await using host = await startTestHost({ link });
  await using worker = new WorkerRuntime(host);
  await worker.start();
  let isAsked = () => {};
  const asked = new Promise<void>((resolve) => {
    isAsked = resolve;
  });
  class Silent extends RoutedAgent {
    static override readonly handlers = handlerTable<Silent>().rpc(Ask, (_ask, { signal }) => {
      isAsked();
      return new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    });
  }
  await Silent.register(worker, "silent", () => new Silent("does not answer"));
  await Echo.register(worker, "echo", () => new Echo("echoes"));
  expect(await worker.sendMessage(Ask({ question: "why?" }), echoId)).toEqual(Ask({ question: "why?" }));

  const call = worker.sendMessage(Ask({ question: "why?" }), new AgentId("silent", "1"), { timeoutMs: 5_000 });
  const outcome = expect(call).rejects.toBeInstanceOf(TimedOutError);
  await asked;
  jest.advanceTimersByTime(5_000);
  await outcome;
});

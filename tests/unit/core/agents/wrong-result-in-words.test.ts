import { AgentId, ClosureAgent, defineMessage, handlerTable, RoutedAgent, SingleThreadedAgentRuntime } from "troupe";
import { startTestHost } from "troupe/testing";
import { WorkerRuntime } from "troupe/worker";
import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { toWireError } from "../../../../src/protocol/internal.ts";
import { RecordingLogger } from "../../../support/recording-logger.ts";

const Told = defineMessage("Told", z.object({}));
const Ask = defineMessage("Ask", z.object({}), { answer: Told });
const writer = new AgentId("writer", "7");
const says = "The handler of writer/7 for Ask returned nothing, but its answer must be Told.";

class Writer extends RoutedAgent {
  static override readonly handlers = handlerTable<Writer>().rpc(Ask, (async () => undefined) as never);
}

test("a handler that returns nothing in place of its answer fails the call with agent, message, and what is allowed", async () => {
  await using runtime = new SingleThreadedAgentRuntime({ logger: new RecordingLogger() });
  await Writer.register(runtime, "writer", () => new Writer("writes"));
  void runtime.start();
  await expect(runtime.sendMessage(Ask({}), writer)).rejects.toMatchObject({
    code: "unexpected-answer",
    message: expect.stringContaining(says),
  });
});

test("and so it does for a caller on another worker", async () => {
  await using test = await startTestHost();
  const logger = new RecordingLogger();
  const one = new WorkerRuntime({ address: test.address, dialer: test.dialer, logger });
  const other = new WorkerRuntime({ address: test.address, dialer: test.dialer, logger });
  onTestFinished(async () => {
    await one.stop();
    await other.stop();
  });
  await Writer.register(one, "writer", () => new Writer("writes"));
  await one.start();
  await other.start();
  await expect(other.sendMessage(Ask({}), writer)).rejects.toMatchObject({
    code: "unexpected-answer",
    message: expect.stringContaining(says),
  });
});

test("while stock peers get the text that they know", async () => {
  const agent = new Writer("writes");
  agent.bindIdAndRuntime(writer, new SingleThreadedAgentRuntime());
  const context = { isRpc: true } as never;
  const error = await Promise.resolve(agent.onMessage(Ask({}), context)).catch((thrown: unknown) => thrown);
  expect(toWireError(error).error).toBe("Return type NoneType not in return types [Told]");
});

test("a call that is not answered in time names target and message, wherever the time was up", async () => {
  await using test = await startTestHost({ callTimeoutMs: 50 });
  const one = new WorkerRuntime({ address: test.address, dialer: test.dialer });
  onTestFinished(() => one.stop());
  await ClosureAgent.registerClosure(one, "writer", () => new Promise(() => undefined), { types: Ask });
  await one.start();
  const other = new WorkerRuntime({ address: test.address, dialer: test.dialer });
  onTestFinished(() => other.stop());
  await other.start();
  for (const options of [{}, { timeoutMs: 20 }]) {
    const ms = options.timeoutMs ?? 50;
    await expect(other.sendMessage(Ask({}), writer, options)).rejects.toMatchObject({
      code: "timed-out",
      message: expect.stringContaining(
        `No answer from writer/7 to Ask within ${ms} ms. Give the call a larger timeoutMs`,
      ),
    });
  }
});

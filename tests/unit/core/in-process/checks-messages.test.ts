import { expect, test } from "vitest";
import {
  AgentId,
  ClosureAgent,
  type InterventionHandler,
  SingleThreadedAgentRuntime,
  type SingleThreadedAgentRuntimeOptions,
  TopicId,
  TypeSubscription,
} from "../../../../src/core/index.ts";
import { RecordingLogger } from "../../../support/recording-logger.ts";
import { say } from "../../../support/say.ts";

const echoId = new AgentId("echo", "k");
const news = new TopicId("news", "k");

async function openRuntime(options: SingleThreadedAgentRuntimeOptions) {
  const logger = new RecordingLogger();
  const runtime = new SingleThreadedAgentRuntime({ logger, ...options });
  const seen: unknown[] = [];
  await ClosureAgent.registerClosure(runtime, "echo", (_agent, message) => {
    seen.push(message);
    return message;
  });
  await runtime.addSubscription(new TypeSubscription("news", "echo"));
  await runtime.start();
  return { runtime, logger, seen };
}

test("a runtime that checks no messages hands every value over: call, answer and event", async () => {
  const { runtime, seen } = await openRuntime({ checksMessages: false });
  expect(await runtime.sendMessage(42 as unknown, echoId)).toBe(42);
  const list: unknown = ["of", "texts"];
  await runtime.publishMessage(list, news);
  await runtime.stopWhenIdle();
  expect(seen).toEqual([42, list]);
});

test("a refused call leaves nothing in the queue", async () => {
  const { runtime } = await openRuntime({});
  await runtime.stop();
  await expect(runtime.sendMessage(42 as unknown, echoId)).rejects.toMatchObject({ code: "invalid-message" });
  expect(runtime.unprocessedMessagesCount).toBe(0);
});

test("an event that an intervention makes unfit to travel is dropped and logged: its publisher has gone on", async () => {
  const spoil: InterventionHandler = { onPublish: () => 42 };
  const { runtime, logger, seen } = await openRuntime({ interventionHandlers: [spoil] });
  await runtime.publishMessage(say("news"), news);
  await runtime.stopWhenIdle();
  expect(seen).toEqual([]);
  expect(logger.texts("error").join()).toContain("Unknown type number");
});

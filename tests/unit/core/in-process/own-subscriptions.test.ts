import { expect, test } from "vitest";
import {
  AgentId,
  ClosureAgent,
  SingleThreadedAgentRuntime,
  type Subscription,
  TopicId,
  TypeSubscription,
} from "../../../../src/core/index.ts";
import { RecordingLogger } from "../../../support/recording-logger.ts";
import { say } from "../../../support/say.ts";

/** Of a kind of its own; throws where told to. */
function failing(id: string, where: "match" | "map"): Subscription {
  return {
    id,
    isMatch: () => {
      if (where === "match") throw new Error("no match");
      return true;
    },
    mapToAgent: () => {
      throw new Error("no agent");
    },
    equals: () => false,
  };
}

async function publish(subscriptions: readonly Subscription[], ignoreUnhandledExceptions = true) {
  const logger = new RecordingLogger();
  const runtime = new SingleThreadedAgentRuntime({ logger, ignoreUnhandledExceptions });
  const seen: unknown[] = [];
  await ClosureAgent.registerClosure(runtime, "reader", (agent, message) => seen.push([agent.id.toString(), message]));
  for (const subscription of subscriptions) await runtime.addSubscription(subscription);
  await runtime.start();
  await runtime.publishMessage(say("x"), new TopicId("news", "k"));
  return { runtime, logger, seen };
}

test("an event reaches the others when a subscription of one's own kind throws, which is logged", async () => {
  const { runtime, logger, seen } = await publish([
    failing("s1", "match"),
    failing("s2", "map"),
    new TypeSubscription("news", "reader"),
  ]);
  await runtime.stopWhenIdle();
  expect(seen).toEqual([[new AgentId("reader", "k").toString(), say("x")]]);
  expect(logger.texts("error")).toEqual([
    "Subscription s1 failed on an event for news/k, and is passed over: no match",
    "Subscription s2 failed on an event for news/k, and is passed over: no agent",
  ]);
});

test("a subscription of one's own kind that throws fails the runtime that ignores nothing", async () => {
  const { runtime } = await publish([failing("s", "match")], false);
  await expect(runtime.stopWhenIdle()).rejects.toThrow("no match");
});

import { expect, test } from "vitest";
import {
  AgentId,
  ClosureAgent,
  type InterventionHandler,
  SingleThreadedAgentRuntime,
  TopicId,
  TypeSubscription,
} from "../../../../src/core/index.ts";
import { Gate } from "../../../support/gate.ts";
import { RecordingLogger } from "../../../support/recording-logger.ts";
import { say } from "../../../support/say.ts";

const echoId = new AgentId("echo", "k");

/** A started runtime whose interventions on `where` wait for the gate; they tell when they have begun. */
async function openRuntime(where: keyof InterventionHandler) {
  const gate = new Gate();
  const begun = new Gate();
  const slow: InterventionHandler = {
    [where]: async (message: unknown) => {
      begun.open();
      await gate.opened;
      return message;
    },
  };
  const runtime = new SingleThreadedAgentRuntime({ interventionHandlers: [slow], logger: new RecordingLogger() });
  const seen: unknown[] = [];
  await ClosureAgent.registerClosure(runtime, "echo", (_agent, message) => {
    seen.push(message);
    return message;
  });
  await runtime.addSubscription(new TypeSubscription("news", "echo"));
  await runtime.start();
  return { runtime, gate, begun, seen };
}

test("a call that an intervention thinks about when the runtime stops is refused, and its handler does not run", async () => {
  const { runtime, gate, begun, seen } = await openRuntime("onSend");
  const call = expect(runtime.sendMessage(say("x"), echoId)).rejects.toMatchObject({ code: "shutting-down" });
  await begun.opened;
  await runtime.stop();
  gate.open();
  await call;
  expect(seen).toEqual([]);
});

test.each(["onSend", "onResponse"] as const)(
  "a call that %s never lets go ends when the runtime closes",
  async (where) => {
    const { runtime, begun } = await openRuntime(where);
    const call = expect(runtime.sendMessage(say("x"), echoId)).rejects.toMatchObject({ code: "shutting-down" });
    await begun.opened;
    await runtime.close();
    await call;
  },
);

test("an event that an intervention thinks about is waited for by whoever stops when all is done", async () => {
  const { runtime, gate, begun, seen } = await openRuntime("onPublish");
  await runtime.publishMessage(say("x"), new TopicId("news", "k"));
  await begun.opened;
  const stopped = runtime.stopWhenIdle();
  gate.open();
  await stopped;
  expect(seen).toEqual([say("x")]);
});

test("an event that an intervention thinks about when the runtime stops reaches nobody", async () => {
  const { runtime, gate, begun, seen } = await openRuntime("onPublish");
  await runtime.publishMessage(say("x"), new TopicId("news", "k"));
  await begun.opened;
  await runtime.stop();
  gate.open();
  await new Promise((resolve) => setImmediate(resolve));
  expect(seen).toEqual([]);
});

test.each(["onSend", "onResponse"] as const)(
  "stopWhenIdle does not wait for a decision of %s about a call that is over",
  async (where) => {
    const { runtime, begun } = await openRuntime(where);
    const aborting = new AbortController();
    const call = runtime.sendMessage(say("x"), echoId, { signal: aborting.signal });
    const end = expect(call).rejects.toMatchObject({ code: "cancelled" });
    await begun.opened;
    aborting.abort();
    await end;
    await runtime.stopWhenIdle();
  },
);

test("stopWhenIdle does not wait for a decision about an event whose publisher has aborted", async () => {
  const { runtime, begun } = await openRuntime("onPublish");
  const aborting = new AbortController();
  await runtime.publishMessage(say("x"), new TopicId("news", "k"), { signal: aborting.signal });
  await begun.opened;
  aborting.abort();
  await runtime.stopWhenIdle();
});

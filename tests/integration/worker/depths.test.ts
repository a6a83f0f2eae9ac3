import { describe, expect, test } from "vitest";
import { AgentId, TopicId, TypeSubscription } from "../../../src/core/index.ts";
import type { Capability } from "../../../src/protocol/internal.ts";
import { eventFrame, next, requestFrame, responseFrame } from "../../support/worker/frames.ts";
import { FunctionAgent, type OnMessage } from "../../support/worker/function-agent.ts";
import { MyMessage } from "../../support/worker/messages.ts";
import { ScriptedHost } from "../../support/worker/scripted-host.ts";

const elsewhere = new AgentId("elsewhere", "k");

const sendOn: OnMessage = async (_message, _context, agent) => {
  const { runtime, id: sender } = agent;
  await runtime.publishMessage(MyMessage({ content: "on" }), new TopicId("out", "k"), { sender });
  await runtime.sendMessage(MyMessage({ content: "on" }), elsewhere, { sender });
};

describe.each<[string, boolean, readonly Capability[], boolean]>([
  ["a host of Troupe's", true, ["heartbeat", "turns"], true],
  ["a host of Troupe's that does not name turns", true, ["heartbeat"], false],
  ["a stock host", false, [], false],
])("what the handler of an event sends, at %s", (_title, isTroupe, capabilities, isTold) => {
  test.each([
    ["without a depth", {}, "1"],
    ["with a depth", { agdepth: "41" }, "42"],
    ["with a depth that no worker writes", { agdepth: "0x7" }, "1"],
  ])("of one %s", async (_what, attributes, depth) => {
    await using host = await new ScriptedHost().listen();
    host.isTroupe = isTroupe;
    host.capabilities = capabilities;
    const [worker, channel] = await host.worker();
    worker.addMessageSerializer(MyMessage);
    await worker.registerFactory("mine", () => new FunctionAgent(sendOn));
    await worker.addSubscription(new TypeSubscription("in", "mine"));
    channel.send(eventFrame("in/k", { attributes }));
    const { event } = await next(channel, "event");
    const call = await next(channel, "request");
    expect([event.attributes.agdepth, call.metadata.agdepth]).toEqual(isTold ? [depth, depth] : [undefined, undefined]);
    channel.send(responseFrame(call.requestId));
  });
});

test("what the handler of a call sends has no depth, unless the call has one", async () => {
  await using host = await new ScriptedHost().listen();
  host.isTroupe = true;
  host.capabilities = ["turns"];
  const [worker, channel] = await host.worker();
  worker.addMessageSerializer(MyMessage);
  await worker.registerFactory("mine", () => new FunctionAgent(sendOn));
  for (const metadata of [{}, { agdepth: "41" }]) {
    channel.send(requestFrame("mine/k", { requestId: "1", metadata }));
    const { event } = await next(channel, "event");
    const call = await next(channel, "request");
    expect([event.attributes, call.metadata]).toEqual([metadata, metadata]);
    channel.send(responseFrame(call.requestId));
    await next(channel, "response");
  }
});

test("an event that too many handlers led to is dropped, and counted", async () => {
  await using host = await new ScriptedHost().listen();
  host.isTroupe = true;
  host.capabilities = ["turns"];
  const [worker, channel] = await host.worker({ guards: { events: { maxDepth: 41 } } });
  worker.addMessageSerializer(MyMessage);
  await worker.registerFactory("mine", () => new FunctionAgent(sendOn));
  await worker.addSubscription(new TypeSubscription("in", "mine"));
  channel.send(eventFrame("in/k", { attributes: { agdepth: "41" } }));
  // The event would have come before the call.
  expect((await next(channel, "request")).metadata).toEqual({ agdepth: "42" });
  expect(worker.counters().guardedEvents).toBe(1);
});

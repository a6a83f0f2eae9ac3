import { describe, expect, test } from "vitest";
import { AgentId, TopicId, TypeSubscription } from "../../../src/core/index.ts";
import { Gate } from "../../support/gate.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { Ask, MyMessage, Reply } from "../../support/worker/messages.ts";
import { startRig, type Transport } from "../../support/worker/worker-rig.ts";

describe.each<Transport>(["memory", "gRPC"])("two workers on our host over %s", (transport) => {
  test("a call reaches the other worker's agent and its answer comes back", async () => {
    await using rig = await startRig(transport);
    const server = await rig.worker();
    const client = await rig.worker();
    server.addMessageSerializer(Ask);
    await server.registerFactory(
      "greeter",
      () => new FunctionAgent((ask) => Reply({ content: `Hello, ${(ask as { content: string }).content}!` })),
    );
    const answer = await client.sendMessage(Ask({ content: "Ada" }), new AgentId("greeter", "default"));
    expect(answer).toEqual({ content: "Hello, Ada!" });
    expect(answer).toBeInstanceOf(Reply);
  });

  test("an event reaches the other worker's agent", async () => {
    await using rig = await startRig(transport);
    const server = await rig.worker();
    const client = await rig.worker();
    const seen = new Gate<unknown>();
    server.addMessageSerializer(MyMessage);
    await server.registerFactory("listener", () => new FunctionAgent((message) => seen.open(message)));
    await server.addSubscription(new TypeSubscription("news", "listener"));
    await client.publishMessage(MyMessage({ content: "hi" }), new TopicId("news", "today"));
    expect(await seen.opened).toEqual({ content: "hi" });
  });
});

import { describe, expect, test } from "vitest";
import { AgentId, TopicId, TypeSubscription } from "../../../src/core/index.ts";
import { Gate } from "../../support/gate.ts";
import { Inbox } from "../../support/inbox.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { Ask, Reply } from "../../support/worker/messages.ts";
import { startRig, type Transport } from "../../support/worker/worker-rig.ts";

const ada = new AgentId("room", "ada");
const transports: readonly Transport[] = ["memory", "gRPC"];

describe.each(transports)("an event for an agent that leaves, over %s", (transport) => {
  test("reaches that agent alone when it is sent again, beside agents of exclusive and of other shared types", async () => {
    await using rig = await startRig(transport);
    const worker = await rig.worker({ name: "only" });
    const caller = await rig.worker();
    for (const one of [worker, caller]) one.addMessageSerializer([Ask, Reply]);
    const [seen, gate] = [new Inbox<string>(), new Gate()];
    const factory = () =>
      new FunctionAgent(async (message, { topicId }, { id }) => {
        const { content } = message as { readonly content: string };
        seen.put(`${id} ${content}`);
        if (content === "wait") await gate.opened;
        return topicId === undefined ? Reply({ content: "done" }) : undefined;
      });
    for (const [type, isShared] of [
      ["room", true],
      ["lobby", true],
      ["desk", false],
    ] as const) {
      const subscriptions = [new TypeSubscription("news", type)];
      await worker.registerFactory(type, factory, { shared: isShared, concurrency: "sequential", subscriptions });
    }
    const waiting = caller.sendMessage(Ask({ content: "wait" }), ada);
    expect(await seen.take()).toBe("room/ada wait");
    await caller.publishMessage(Ask({ content: "1" }), new TopicId("news", "ada"));
    expect((await seen.takeMany(2)).toSorted()).toEqual(["desk/ada 1", "lobby/ada 1"]);
    const left = worker.deactivateAgent(ada);
    // The host holds what the worker has given back.
    await expect.poll(() => rig.host.counters().heldMessages, { interval: 1 }).toBe(1);
    gate.open();
    await Promise.all([waiting, left]);
    expect(await seen.take()).toBe("room/ada 1");
    for (const type of ["room", "lobby", "desk"])
      await caller.sendMessage(Ask({ content: "end" }), new AgentId(type, "ada"));
    expect(seen.rest).toEqual(["room/ada end", "lobby/ada end", "desk/ada end"]);
    expect(rig.host.counters()).toMatchObject({ returnedMessages: 1, unmatchedReturns: 0, droppedEvents: 0 });
  });
});

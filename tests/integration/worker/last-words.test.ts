import { describe, expect, test } from "vitest";
import { AgentId, type DeactivationReason, TopicId, TypeSubscription } from "../../../src/core/index.ts";
import { Answer, Ask, Note } from "../../contract/agent-runtime/world.ts";
import { Inbox } from "../../support/inbox.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { startRig } from "../../support/worker/worker-rig.ts";

const id = new AgentId("leaving", "k");

class Leaving extends FunctionAgent {
  async onDeactivate(reason: DeactivationReason): Promise<void> {
    const { text } = await this.runtime.sendMessage(Ask({ text: reason }), new AgentId("heir", "k"), {
      sender: this.id,
    });
    await this.runtime.publishMessage(Note({ text }), new TopicId("wills", "k"), { sender: this.id });
  }
}

describe("a worker that stops", () => {
  test("lets its agents call, publish and be answered in onDeactivate, before it leaves the host", async () => {
    await using rig = await startRig();
    const [one, other] = [await rig.worker(), await rig.worker()];
    for (const worker of [one, other]) worker.addMessageSerializer([Ask, Answer, Note]);
    const heard = new Inbox<string>();
    await other.registerFactory(
      "heir",
      () => new FunctionAgent((message) => Answer({ text: `all for ${String(Object(message).text)}` })),
    );
    await other.registerFactory("notary", () => new FunctionAgent((message) => heard.put(Object(message).text)));
    await other.addSubscription(new TypeSubscription("wills", "notary"));
    await one.registerFactory("leaving", () => new Leaving());
    await one.get(id, undefined, { lazy: false });
    await one.stop();
    expect(await heard.take()).toBe("all for shutting-down");
  });
});

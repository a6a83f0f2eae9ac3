import { expect, test } from "vitest";
import { AgentId, BaseAgent, TopicId } from "../../../src/core/index.ts";
import { Inbox } from "../../support/inbox.ts";
import { MyMessage } from "../../support/worker/messages.ts";
import { startRig } from "../../support/worker/worker-rig.ts";

class Listener extends BaseAgent {
  readonly #hear: () => void;

  constructor(hear: () => void) {
    super("hears");
    this.#hear = hear;
  }

  protected override onMessageImpl(): void {
    this.#hear();
  }
}

test("instances of a worker go with its stop, their subscriptions too, and are registered anew after the next start", async () => {
  await using rig = await startRig();
  const worker = await rig.worker();
  worker.addMessageSerializer(MyMessage);
  const heard = new Inbox<string>();
  const id = new AgentId("inst", "k");
  await new Listener(() => heard.put("the first")).registerInstance(worker, id);
  await worker.stop();
  await worker.start();
  await expect(worker.sendMessage(MyMessage({ content: "x" }), id)).rejects.toMatchObject({ code: "undeliverable" });
  await new Listener(() => heard.put("the second")).registerInstance(worker, id);
  await worker.publishMessage(MyMessage({ content: "x" }), new TopicId("k", "k"));
  expect(await heard.take()).toBe("the second");
});

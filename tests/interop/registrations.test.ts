import { TypeSubscription } from "troupe";
import { describe, expect, test } from "vitest";
import { generations } from "./support/generations.ts";
import { Laboratory } from "./support/laboratory.ts";
import { MyMessage } from "./support/messages.ts";
import type { PythonAgent } from "./support/peer-protocol.ts";
import type { PythonPeer } from "./support/python-peer.ts";
import { callFrom, publishFrom } from "./support/python-peers.ts";

const hi = MyMessage({ content: "hi" });
const hiShown = { type: "MyMessage", message: { content: "hi" } };
const echo: PythonAgent = { kind: "echo", type: "echo" };
const collector: PythonAgent = { kind: "collector", type: "collector", subscriptions: [{ topicType: "kept" }] };

for (const generation of generations) {
  describe.skipIf(generation.skipReason)(`workers of ${generation.title} on our host`, () => {
    test("are refused a type that another has, in the words of their own host [§8.5]", async () => {
      await using lab = await Laboratory.start(generation);
      const owner = await lab.typescript();
      await owner.echo("echo");
      const worker = await lab.python();
      const id = worker.send({ cmd: "register", agents: [echo] });
      const { text } = await worker.next("error", { id });
      expect(text).toContain("Agent type echo already registered");
    });

    test("get a type as soon as the worker that had it is gone, stopped or killed [§8.18] [§8.24]", async () => {
      await using lab = await Laboratory.start(generation);
      const stopping = await lab.python([echo]);
      expect(await stopping.stop()).toBe(0);
      const killed = await takeOver(lab, echo);
      await killed.kill();
      const last = await takeOver(lab, echo);
      expect(await callFrom(last, "echo/k", hiShown)).toMatchObject(hiShown);
      expect(lab.host.counters()).toMatchObject({ agentTypes: 1, subscriptions: 1, channels: 1 });
    });

    test("get a type of ours as soon as its worker has stopped [§8.100]", async () => {
      await using lab = await Laboratory.start(generation);
      const ours = await lab.typescript();
      await ours.echo("echo");
      await ours.runtime.stop();
      expect(lab.host.counters()).toMatchObject({ agentTypes: 0, subscriptions: 0, channels: 0 });
      await lab.python([echo]);
    });

    test("are refused a subscription that they have already [§8.30]", async () => {
      await using lab = await Laboratory.start(generation);
      const worker = await lab.python([collector]);
      const id = worker.send({ cmd: "subscribe", agentType: "collector", topicType: "kept" });
      expect(await worker.next("error", { id })).toMatchObject({ text: "Subscription already exists" });
    });

    // Before gen 3 a worker has no way to tell the host.
    if (generation.number === 3)
      test("get no more of a subscription that they removed [§8.35]", async () => {
        await using lab = await Laboratory.start(generation);
        const worker = await lab.python([collector]);
        const added = worker.send({
          cmd: "subscribe",
          agentType: "collector",
          topicType: "gone",
          subscriptionId: "s1",
        });
        await worker.next("done", { id: added });
        await publishFrom(worker, "gone/k", hiShown);
        await worker.next("received", { topic: "gone/k" });
        expect(lab.host.counters().subscriptions).toBe(3);
        const removed = worker.send({ cmd: "unsubscribe", subscriptionId: "s1" });
        await worker.next("done", { id: removed });
        expect(lab.host.counters().subscriptions).toBe(2);
        await publishFrom(worker, "gone/k", hiShown);
        await publishFrom(worker, "kept/k", hiShown);
        expect(await worker.next("received")).toMatchObject({ topic: "kept/k" });
      });

    test("hear nothing of a subscription that another worker made for their type: only its own count [§8.80]", async () => {
      await using lab = await Laboratory.start(generation);
      const worker = await lab.python([collector]);
      const other = await lab.typescript({ types: [MyMessage] });
      await other.runtime.addSubscription(new TypeSubscription("foreign", "collector"));
      await other.publish("foreign/k", hi);
      await other.publish("kept/k", hi);
      expect(await worker.next("received")).toMatchObject({ topic: "kept/k" });
    });
  });
}

/** Starts a worker with an agent type that is being freed; it is refused until the host has noticed. */
async function takeOver(lab: Laboratory, agent: PythonAgent): Promise<PythonPeer> {
  const worker = await lab.python();
  const id = worker.send({ cmd: "register", agents: [agent] });
  const event = await worker.nextOf(["done", "error"], (candidate) => candidate.id === id);
  if (event.event === "done") return worker;
  // A refused Python worker can't try again: it keeps the factory (W16).
  await worker.kill();
  return takeOver(lab, agent);
}

import { expect, test } from "vitest";
import { AgentId, TypeSubscription } from "../../../src/core/index.ts";
import { parseEpoch } from "../../../src/core/internal.ts";
import { limits } from "../../../src/host/limits.ts";
import type { ClaimedAgent } from "../../../src/protocol/index.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import { roomWorker } from "../../support/leaving-rooms.ts";
import { RawWorker } from "../../support/raw-worker.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { Ask, Reply } from "../../support/worker/messages.ts";
import { startRig } from "../../support/worker/worker-rig.ts";

const lot = 1_000;

test("deactivateAgent resolves when its worker had 10,000 agents that left, and one of them is gone", async () => {
  await using rig = await startRig();
  const clock = new ManualClock();
  const worker = await rig.worker({ clock });
  worker.addMessageSerializer([Ask, Reply]);
  await worker.registerFactory("room", () => new FunctionAgent(() => Reply({ content: "ok" })), {
    shared: true,
    subscriptions: [new TypeSubscription("news", "room")],
  });
  const mine = new AgentId("room", "mine");
  await worker.sendMessage(Ask({ content: "x" }), mine);
  const [{ workerId = "" } = {}] = (await rig.host.inspect()).workers;
  // Another channel of the same worker, which the test plays: it gets what comes for further agents, and is slow to let them go.
  const host = { dial: () => rig.dialer.dial(rig.host.address) };
  const newer = await roomWorker({ ...host, host: rig.host, [Symbol.asyncDispose]: async () => {} }, "A2", {
    agworker: workerId,
  });
  const caller = await new RawWorker(host.dial(), "C", { isAnnounced: true }).join();
  const agents: ClaimedAgent[] = [];
  for (let from = 0; from < limits.leavingPerWorker; from += lot) {
    for (let at = from; at < from + lot; at += 1) caller.publish("news", `k${at}`);
    await caller.settled();
    const events = (await newer.settled()).flatMap((frame) => (frame.kind === "event" ? [frame.event] : []));
    for (const { topicSource: key, attributes } of events) {
      const [, epoch = ""] = /room=([\d.]+)/.exec(attributes.agfor ?? "") ?? [];
      agents.push({ type: "room", key, epoch: parseEpoch(epoch) });
    }
  }
  expect(agents).toHaveLength(limits.leavingPerWorker);
  for (let from = 0; from < agents.length; from += lot) {
    newer.send({ kind: "ask-leave", agents: agents.slice(from, from + lot), reason: "asked" });
  }
  await newer.settled();
  await expect.poll(() => rig.host.counters().leavingAgents).toBe(limits.leavingPerWorker);

  const deactivated = worker.deactivateAgent(mine);
  await expect.poll(() => rig.host.counters().refusedByLimit).toBe(1);
  newer.send({ kind: "left", agents: agents.slice(0, 1) });
  await newer.settled();
  await expect.poll(() => rig.host.counters().leavingAgents).toBe(limits.leavingPerWorker - 1);
  clock.advance(4_000);
  const said = await newer.next();
  if (said.kind !== "leave") throw new Error(`the host said ${said.kind}`);
  expect(said.agents.map(({ key }) => key)).toEqual(["mine"]);
  newer.send({ kind: "left", agents: said.agents });
  await deactivated;
  await worker.stop({ signal: AbortSignal.abort() });
});

import { expect, it } from "vitest";
import { hostTransports } from "../../support/host-transports.ts";
import { agentOf, requests } from "../../support/leaving-rooms.ts";
import { exact, RawWorker } from "../../support/raw-worker.ts";

it("an event that waited for agents of a lost worker goes to a stock worker that takes several of them, and once", async () => {
  const [transport] = hostTransports;
  if (transport === undefined) throw new Error("there is no transport");
  await using rig = await transport.start({ sharedTypes: ["room", "hall"] });
  const types = ["room", "hall"];
  const holder = await new RawWorker(rig.dial(), "W", {
    isAnnounced: true,
    metadata: { agcaps: "claims,turns", agworker: "w" },
  }).join();
  for (const type of types) await holder.register(type, { agshared: "1" });
  for (const type of types) await holder.subscribe(type, exact("news", type));
  const caller = await new RawWorker(rig.dial(), "C").join();
  for (const type of types) caller.request(type, `${type}/k`);
  await caller.settled();
  const agents = requests(await holder.settled()).map((request) => ({
    ...agentOf(request),
    type: request.target?.type ?? "",
  }));
  expect(agents).toHaveLength(2);
  const stock = await new RawWorker(rig.dial(), "S").join();
  for (const type of types) await stock.register(type);
  for (const type of types) await stock.subscribe(`of stock ${type}`, exact("news", type));
  holder.send({ kind: "ask-leave", agents, reason: "idle" });
  await holder.settled();
  caller.publish("news", "k", "E");
  await caller.settled();
  expect(await stock.settled()).toEqual([]);
  expect(rig.host.counters()).toMatchObject({ leavingAgents: 2, heldMessages: 2 });
  holder.stream.cancel();
  const event = await stock.nextEvent();
  expect(event).toMatchObject({ topicType: "news", topicSource: "k" });
  caller.publish("other", "k", "F");
  await caller.settled();
  expect(await stock.settled()).toEqual([]);
  expect(rig.host.counters()).toMatchObject({ heldMessages: 0, droppedEvents: 0, deliveredEvents: 1 });
});

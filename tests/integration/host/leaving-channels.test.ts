import { describe, expect, it } from "vitest";
import { formatEpoch } from "../../../src/core/internal.ts";
import type { HostRig } from "../../support/host-transports.ts";
import {
  askLeave,
  type EventFrame,
  giveBack,
  type Request,
  requests,
  roomWorker,
  startRooms,
} from "../../support/leaving-rooms.ts";
import { exact, RawWorker } from "../../support/raw-worker.ts";

const reason = "asked";

/** A worker that holds `room/k` and changes its connection: the call came on its older channel, and an event comes on its newer one. */
async function startChange(world: Awaited<ReturnType<typeof startRooms>>) {
  const { rig, holder, caller, agent } = world;
  const newer = await roomWorker(rig, "A2", { agworker: `worker-${holder.clientId}` });
  caller.publish("news", "k", "E1");
  await caller.settled();
  const [event] = await newer.settled();
  if (event?.kind !== "event") throw new Error("no event came on the newer channel");
  return { older: holder, newer, event, leave: { kind: "leave", agents: [agent], reason, graceMs: 0 } };
}

/** A newer channel of a worker, which has registered nothing there yet. */
function newerChannel(rig: HostRig, { clientId }: RawWorker): Promise<RawWorker> {
  const metadata = { agcaps: "claims,turns", agworker: `worker-${clientId}` };
  return new RawWorker(rig.dial(), "A2", { isAnnounced: true, metadata }).join();
}

function names(frames: readonly (Request | EventFrame | { readonly kind: string })[]): string[] {
  return frames.map((frame) => ("event" in frame ? frame.event.id : frame.kind));
}

it("an event comes once to an agent whose worker changes its connection and has agents of shared types, too", async () => {
  await using world = await startRooms();
  const { holder: older, caller, agent } = world;
  // The host has the worker's exclusive types under the older channel, and sends for agents of shared types on the newer one.
  await older.register("desk");
  await older.subscribe("d", exact("news", "desk"));
  const { newer, event } = await startChange(world);
  expect(event.event.attributes.agfor).toBe(`!room=${formatEpoch(agent.epoch)}`);
  const plain = (await older.settled()).find(({ kind }) => kind === "event");
  expect(plain).toMatchObject({ event: { id: "E1" } });
  expect(JSON.stringify(plain)).not.toContain("agfor");
  newer.stream.cancel();
  await newer.ended;
  caller.publish("news", "k", "E2");
  await caller.settled();
  expect(await older.settled()).toMatchObject([
    { event: { attributes: { agfor: `room=${formatEpoch(agent.epoch)}` } } },
  ]);
});

it("a shared agent stays with its only worker while that changes its connection", async () => {
  await using world = await startRooms();
  const { rig, holder: older, other, caller, agent, first } = world;
  other.stream.cancel();
  await other.ended;
  older.respond(first.requestId, "done");
  const newer = await newerChannel(rig, older);
  older.send({ kind: "leaving", graceMs: 0 });
  await older.settled();
  caller.request("second", "room/k");
  await caller.settled();
  const [second] = requests(await newer.settled());
  expect(second?.metadata.agepoch).toBe(formatEpoch(agent.epoch));
  // It registers the type anew, and others may join.
  await newer.register("room", { agshared: "1" });
  expect(rig.host.counters()).toMatchObject({ agentTypes: 1, claims: 1 });
  newer.send({ kind: "leaving", graceMs: 0 });
  await newer.settled();
  expect(rig.host.counters()).toMatchObject({ agentTypes: 0, claims: 0 });
});

it("an agent that begins while its worker changes the connection gets its first message by the same channel as those behind it", async () => {
  await using world = await startRooms();
  const { rig, holder: older, other, caller } = world;
  other.stream.cancel();
  await other.ended;
  const newer = await newerChannel(rig, older);
  for (const requestId of ["1", "2", "3"]) caller.request(requestId, "room/fresh");
  await caller.settled();
  expect(requests(await older.settled())).toEqual([]);
  expect(requests(await newer.settled())).toHaveLength(3);
});

it("a shared agent stays with its only worker when that loses its older connection, and gets the message that it is told", async () => {
  await using world = await startRooms();
  const { rig, holder: older, other, caller, agent, first } = world;
  other.stream.cancel();
  await other.ended;
  older.respond(first.requestId, "done");
  const newer = await newerChannel(rig, older);
  older.stream.cancel();
  await expect.poll(() => rig.host.counters().channels).toBe(2);
  caller.request("told", "room/k");
  await caller.settled();
  const [told] = requests(await newer.settled());
  expect(told?.metadata.agepoch).toBe(formatEpoch(agent.epoch));
  expect(rig.host.counters()).toMatchObject({ agentTypes: 1, claims: 1 });
  newer.stream.cancel();
  await expect.poll(() => rig.host.counters()).toMatchObject({ agentTypes: 0, claims: 0 });
});

it.each(["leaves", "loses"])(
  "an event comes once to a shared agent whose only worker %s its older connection",
  async (how) => {
    await using world = await startRooms();
    const { rig, holder: older, other, caller } = world;
    other.stream.cancel();
    await other.ended;
    const newer = await newerChannel(rig, older);
    if (how === "leaves") {
      older.send({ kind: "leaving", graceMs: 0 });
      await older.settled();
    } else {
      older.stream.cancel();
      await expect.poll(() => rig.host.counters().channels).toBe(2);
    }
    caller.publish("news", "k", "E1");
    await caller.settled();
    expect(names(await newer.settled())).toEqual(["E1"]);
    // It registers anew what the host has kept.
    await newer.register("room", { agshared: "1" });
    await newer.subscribe("s", exact("news", "room"));
    caller.publish("news", "k", "E2");
    await caller.settled();
    expect(names(await newer.settled())).toEqual(["E2"]);
    expect(rig.host.counters()).toMatchObject({ agentTypes: 1, subscriptions: 1, unroutableEvents: 0 });
    newer.send({ kind: "leaving", graceMs: 0 });
    await newer.settled();
    expect(rig.host.counters()).toMatchObject({ agentTypes: 0, subscriptions: 0 });
  },
);

it("an event on its way on the older connection is not lost, if its agent leaves before the worker has registered the type anew", async () => {
  await using world = await startRooms();
  const { rig, holder: older, other, caller, agent, first } = world;
  older.respond(first.requestId, "done");
  caller.publish("news", "k", "E1");
  await caller.settled();
  const [event] = await older.settled();
  if (event?.kind !== "event") throw new Error("no event came");
  const newer = await newerChannel(rig, older);
  older.send({ kind: "leaving", graceMs: 0 });
  await older.settled();
  expect(await askLeave(newer, agent, reason)).toMatchObject([{ kind: "leave" }]);
  newer.send({ kind: "left", agents: [agent] });
  await newer.settled();
  // The host has placed it anew by now.
  caller.request("second", "room/k");
  await caller.settled();
  giveBack(newer, agent, event);
  const sent = [...(await newer.settled()), ...(await other.settled())];
  expect(names(sent).sort()).toEqual(["E1", "request"]);
  expect(rig.host.counters()).toMatchObject({ returnedMessages: 1, unmatchedReturns: 0 });
});

describe("an agent whose worker has two channels", () => {
  it("leaves when the worker has said left on both, so that an event on the older one is not lost [L4 L7]", async () => {
    await using world = await startRooms();
    const { rig, holder, other, caller, agent, first } = world;
    holder.respond(first.requestId, "done");
    caller.publish("news", "k", "E0");
    await caller.settled();
    const [early] = await holder.settled();
    if (early?.kind !== "event") throw new Error("no event came");
    const { older, newer, event, leave } = await startChange(world);
    expect(await askLeave(newer, agent, reason)).toEqual([leave]);
    expect(await older.settled()).toEqual([leave]);
    giveBack(newer, agent, event);
    newer.send({ kind: "left", agents: [agent] });
    expect(await newer.settled()).toEqual([]);
    expect(rig.host.counters()).toMatchObject({ leavingAgents: 1, heldMessages: 1 });
    giveBack(older, agent, early);
    older.send({ kind: "left", agents: [agent] });
    const sent = [...(await older.settled()), ...(await newer.settled()), ...(await other.settled())];
    expect(names(sent).sort()).toEqual(["E0", "E1"]);
    expect(rig.host.counters()).toMatchObject({ leavingAgents: 0, unmatchedReturns: 0, droppedEvents: 0 });
  });

  it("is told again on the other channel when one ends before its left [L12]", async () => {
    await using world = await startRooms();
    const { agent } = world;
    const { older, newer, event, leave } = await startChange(world);
    await askLeave(newer, agent, reason);
    giveBack(newer, agent, event);
    newer.send({ kind: "left", agents: [agent] });
    await newer.settled();
    older.stream.cancel();
    expect(await newer.next()).toEqual(leave);
    newer.send({ kind: "left", agents: [agent] });
    expect(names([await firstOf(newer, world.other)])).toEqual(["E1"]);
  });

  it("is told nothing more when a channel ends on which it has left already", async () => {
    await using world = await startRooms();
    const { agent, caller } = world;
    const { older, newer } = await startChange(world);
    await askLeave(newer, agent, reason);
    older.send({ kind: "left", agents: [agent] });
    await older.settled();
    older.stream.cancel();
    // The call that the older channel had.
    await caller.nextResponse();
    expect(await newer.settled()).toEqual([]);
    newer.send({ kind: "left", agents: [agent] });
    await newer.settled();
    expect(world.rig.host.counters().leavingAgents).toBe(0);
  });

  it("stays by one word, on either channel [L8]", async () => {
    await using world = await startRooms();
    const { rig, agent, caller, first } = world;
    const { older, newer } = await startChange(world);
    await askLeave(newer, agent);
    caller.request("second", "room/k");
    await caller.settled();
    older.send({ kind: "stay", agents: [agent] });
    await older.settled();
    const [second] = requests(await newer.settled());
    expect(second?.metadata.agepoch).toBe(first.metadata.agepoch);
    expect(rig.host.counters().leavingAgents).toBe(0);
  });

  it("is said to leave on the newest four of a worker's channels only", async () => {
    await using world = await startRooms();
    const { rig, holder, agent } = world;
    const channels: RawWorker[] = [holder];
    for (let at = 0; at < 5; at += 1) {
      channels.push(await roomWorker(rig, `A${at}`, { agworker: `worker-${holder.clientId}` }));
    }
    const told = [await askLeave(holder, agent, reason)];
    for (const one of channels.slice(1)) told.push(await one.settled());
    expect(told.map((frames) => frames.length)).toEqual([0, 0, 1, 1, 1, 1]);
  });
});

/** The first frame that comes on one of two channels. */
function firstOf(a: RawWorker, b: RawWorker) {
  return Promise.race([a.next(), b.next()]);
}

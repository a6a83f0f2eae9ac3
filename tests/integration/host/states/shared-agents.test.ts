import { describe, expect, it } from "vitest";
import { formatEpoch, parseEpoch } from "../../../../src/core/internal.ts";
import { encodeFrame } from "../../../../src/protocol/index.ts";
import type { StateStore } from "../../../../src/storage/index.ts";
import { MemoryStateStore } from "../../../../src/storage/index.ts";
import { ManualClock } from "../../../../src/testing/index.ts";
import { GatedStore } from "../../../support/gated-store.ts";
import { type HostRig, hostTransports } from "../../../support/host-transports.ts";
import { answerTo, RawStates } from "../../../support/raw-states.ts";
import { RawWorker, textOf } from "../../../support/raw-worker.ts";

const shared = { agshared: "1" };
const room = { type: "room", key: "k" };

/** A worker that keeps states at the host, with its stream for them. */
async function startServer(rig: HostRig, clientId: string, terms: Record<string, string> = shared) {
  const words = { agcaps: "states,claims", agworker: `worker-${clientId}` };
  const worker = await new RawWorker(rig.dial(), clientId, { isAnnounced: true, metadata: words }).join();
  await worker.register("room", terms);
  await worker.register(`here-${clientId}`);
  return { worker, states: new RawStates(worker.link, clientId) };
}

type Server = Awaited<ReturnType<typeof startServer>>;

/** Calls `room/k`; returns who has it, who has not, and the epoch that the holder was told. */
async function callRoom(caller: RawWorker, servers: readonly Server[]) {
  caller.request("1", "room/k");
  await caller.settled();
  for (const server of servers) {
    const [call] = await server.worker.settled();
    if (call?.kind !== "request") continue;
    server.worker.respond(call.requestId, "done");
    await caller.nextResponse();
    const others = servers.filter((other) => other !== server);
    return { holder: server, others, epoch: parseEpoch(call.metadata.agepoch ?? "") };
  }
  throw new Error("no worker got the call");
}

async function epochStored(store: StateStore): Promise<string> {
  const record = await store.load(room);
  return record === undefined || record === "unchanged" || record.epoch === undefined ? "" : formatEpoch(record.epoch);
}

async function start3(rig: HostRig) {
  const servers = [await startServer(rig, "A"), await startServer(rig, "B")];
  const caller = await new RawWorker(rig.dial(), "C", { isAnnounced: true }).join();
  return { servers, caller };
}

describe.each(hostTransports)("the state of a shared agent at the host over $name", ({ start }) => {
  it("is written by the worker that has the agent, under the epoch that the host has told it", async () => {
    const stateStore = new MemoryStateStore();
    await using rig = await start({ stateStore });
    const { servers, caller } = await start3(rig);
    const { holder, epoch } = await callRoom(caller, servers);
    holder.states.load("room/k");
    expect((await holder.states.next()).outcome).toEqual({ at: "nothing" });
    holder.states.commit("room/k", { epoch });
    expect((await holder.states.next()).outcome.at).toBe("committed");
    expect(await epochStored(stateStore)).toBe(formatEpoch(epoch));
  });

  it("is refused to a worker that does not have the agent, and its commit is stale", async () => {
    const stateStore = new MemoryStateStore();
    await using rig = await start({ stateStore });
    const { servers, caller } = await start3(rig);
    const { others, epoch } = await callRoom(caller, servers);
    for (const { states } of others) {
      states.load("room/k");
      expect(await states.nextFailure()).toMatchObject({ code: "shutting-down" });
      states.commit("room/k");
      expect((await states.next()).outcome).toEqual({ at: "stale", epoch });
      states.load("room/other");
      expect(await states.nextFailure()).toMatchObject({ code: "not-authorized" });
    }
    expect((await stateStore.stats()).records).toBe(0);
    expect(rig.host.counters()).toMatchObject({ commits: 0, staleCommits: 1 });
  });

  it("is read and written by its worker on a new connection, before the worker has registered the type there", async () => {
    await using rig = await start({ stateStore: new MemoryStateStore() });
    const { servers, caller } = await start3(rig);
    const { holder } = await callRoom(caller, servers);
    const words = { agcaps: "states,claims", agworker: `worker-${holder.worker.clientId}` };
    const newer = await new RawWorker(rig.dial(), "A2", { isAnnounced: true, metadata: words }).join();
    const states = new RawStates(newer.link, "A2");
    caller.request("2", "room/k");
    const { requestId, metadata } = await newer.nextRequest();
    states.load("room/k");
    expect((await states.next()).outcome).toEqual({ at: "nothing" });
    holder.worker.stream.cancel();
    await holder.states.ended;
    states.commit("room/k", { epoch: parseEpoch(metadata.agepoch ?? "") });
    expect((await states.next()).outcome.at).toBe("committed");
    states.load("room/other");
    expect(await states.nextFailure()).toMatchObject({ code: "not-authorized" });
    newer.respond(requestId, "done");
    await caller.nextResponse();
  });

  it("takes the last commits of a worker that leaves, until another worker has the agent", async () => {
    const stateStore = new MemoryStateStore();
    await using rig = await start({ stateStore });
    const { servers, caller } = await start3(rig);
    const { holder, others, epoch } = await callRoom(caller, servers);
    holder.worker.send({ kind: "leaving", graceMs: 1_000 });
    await holder.worker.settled();
    holder.states.commit("room/k");
    const { outcome } = await holder.states.next();
    if (outcome.at !== "committed") throw new Error(`expected a commit, got ${outcome.at}`);
    const next = await callRoom(caller, others);
    expect(next.epoch.number).toBeGreaterThan(epoch.number);
    const expected = { at: "version", eTag: outcome.eTag } as const;
    holder.states.commit("room/k", { expected });
    expect((await holder.states.next()).outcome).toEqual({ at: "stale", epoch: next.epoch });
    next.holder.states.commit("room/k", { expected });
    expect((await next.holder.states.next()).outcome.at).toBe("committed");
    expect(await epochStored(stateStore)).toBe(formatEpoch(next.epoch));
  });

  it("takes the last commits of a worker that leaves as the last of their type, until another worker serves it", async () => {
    const stateStore = new MemoryStateStore();
    await using rig = await start({ stateStore });
    const only = await startServer(rig, "A");
    const caller = await new RawWorker(rig.dial(), "C", { isAnnounced: true }).join();
    const { epoch } = await callRoom(caller, [only]);
    only.worker.send({ kind: "leaving", graceMs: 1_000 });
    await only.worker.settled();
    only.states.commit("room/k", { epoch });
    const { outcome } = await only.states.next();
    if (outcome.at !== "committed") throw new Error(`expected a commit, got ${outcome.at}`);
    const next = await callRoom(caller, [await startServer(rig, "B")]);
    only.states.commit("room/k", { epoch, expected: { at: "version", eTag: outcome.eTag } });
    expect((await only.states.next()).outcome).toEqual({ at: "stale", epoch: next.epoch });
    expect(await epochStored(stateStore)).not.toBe(undefined);
  });

  it("takes no commit of a worker whose agents were revoked, also when no other worker has the agent [L10]", async () => {
    const [stateStore, clock] = [new MemoryStateStore(), new ManualClock()];
    await using rig = await start({ stateStore, clock, drainGraceMs: 5_000, heartbeatTimeoutMs: 0 });
    const { servers, caller } = await start3(rig);
    const { holder } = await callRoom(caller, servers);
    holder.worker.send({ kind: "leaving-worker", graceMs: 0 });
    await holder.worker.settled();
    clock.advance(5_000);
    expect(rig.host.counters().revokedClaims).toBe(1);
    holder.worker.send({ kind: "leaving", graceMs: 0 });
    await holder.worker.settled();
    holder.states.commit("room/k");
    expect((await holder.states.next()).outcome.at).toBe("stale");
    expect((await stateStore.stats()).records).toBe(0);
  });

  it("takes no commit of a worker whose agents were revoked, also when it was the last worker of their type [L10]", async () => {
    const [stateStore, clock] = [new MemoryStateStore(), new ManualClock()];
    await using rig = await start({ stateStore, clock, drainGraceMs: 5_000, heartbeatTimeoutMs: 0 });
    const only = await startServer(rig, "A");
    const caller = await new RawWorker(rig.dial(), "C", { isAnnounced: true }).join();
    await callRoom(caller, [only]);
    only.worker.send({ kind: "leaving-worker", graceMs: 0 });
    await only.worker.settled();
    clock.advance(5_000);
    only.worker.send({ kind: "leaving", graceMs: 0 });
    await only.worker.settled();
    only.states.commit("room/k");
    expect((await only.states.next()).outcome.at).toBe("stale");
    expect((await stateStore.stats()).records).toBe(0);
    only.worker.request("7", "room/other", { source: room });
    expect(await only.worker.nextResponse()).toMatchObject({ metadata: { agerrorcode: "undeliverable" } });
    // Its agents of exclusive types were not taken away: their last turns commit.
    only.states.commit("here-A/k");
    expect((await only.states.next()).outcome.at).toBe("committed");
  });

  it.each(["is written", "fails"])(
    "has a commit under way when its worker's time is over, which %s and decides its call [L10]",
    async (how) => {
      const [stateStore, clock] = [new GatedStore(), new ManualClock()];
      await using rig = await start({ stateStore, clock, drainGraceMs: 5_000, heartbeatTimeoutMs: 0 });
      const { servers, caller } = await start3(rig);
      const { holder, others } = await callRoom(caller, servers);
      for (const requestId of ["2", "3"]) caller.request(requestId, "room/k");
      const second = await holder.worker.nextRequest();
      await holder.worker.nextRequest();
      holder.states.commit("room/k", { answers: [answerTo(second, "two")] });
      const held = await stateStore.commits.take();
      holder.worker.send({ kind: "leaving-worker", graceMs: 0 });
      await holder.worker.settled();
      // It waits for the agent's next worker.
      caller.request("4", "room/k");
      await caller.settled();
      clock.advance(5_000);
      expect(await caller.nextResponse()).toMatchObject({ requestId: "3", metadata: { agerrorcode: "shutting-down" } });
      const [next] = others;
      const fourth = await next?.worker.nextRequest();
      next?.states.load("room/k");
      expect(await caller.settled()).toEqual([]);
      if (how === "fails") held.fail("unavailable");
      else held.write();
      const answer = await caller.nextResponse();
      const loaded = await next?.states.next();
      if (how === "fails") {
        expect(answer).toMatchObject({ requestId: "2", metadata: { agerrorcode: "shutting-down" } });
        expect(loaded?.outcome).toEqual({ at: "nothing" });
      } else {
        expect([answer.requestId, textOf(answer)]).toEqual(["2", "two"]);
        // The next worker's load waited for that commit.
        expect(loaded?.outcome).toMatchObject({ at: "record", record: { revision: 1 } });
      }
      stateStore.openGate();
      expect((await holder.states.next()).outcome.at).toBe(how === "fails" ? "failed" : "committed");
      holder.states.commit("room/k", { expected: { at: "anything" } });
      expect((await holder.states.next()).outcome.at).toBe("stale");
      next?.worker.respond(fourth?.requestId ?? "", "done");
      expect((await caller.nextResponse()).requestId).toBe("4");
      expect(rig.host.counters()).toMatchObject({ revokedClaims: 1, staleCommits: 1, pendingCalls: 0 });
    },
  );

  it("is decided by its commit: its worker can't give the call back meanwhile [L6]", async () => {
    const stateStore = new GatedStore();
    await using rig = await start({ stateStore });
    const { servers, caller } = await start3(rig);
    const { holder, others, epoch } = await callRoom(caller, servers);
    caller.request("2", "room/k");
    const call = await holder.worker.nextRequest();
    holder.states.commit("room/k", { answers: [answerTo(call, "two")] });
    const held = await stateStore.commits.take();
    const agents = [{ ...room, epoch }];
    holder.worker.send({ kind: "returned", agents, reason: "leaving", message: encodeFrame(call) });
    holder.worker.send({ kind: "left", agents });
    await holder.worker.settled();
    for (const { worker } of others) expect(await worker.settled()).toEqual([]);
    held.write();
    expect(textOf(await caller.nextResponse())).toBe("two");
    expect(rig.host.counters()).toMatchObject({ unmatchedReturns: 2, returnedMessages: 0, claims: 1 });
  });

  it("goes over to an exclusive owner, and back to workers that share the type", async () => {
    const stateStore = new MemoryStateStore();
    await using rig = await start({ stateStore });
    const caller = await new RawWorker(rig.dial(), "C", { isAnnounced: true }).join();
    let eTag: string | undefined;
    for (const [clientId, terms] of [
      ["A", shared],
      ["B", {}],
      ["D", shared],
    ] as const) {
      const server = await startServer(rig, clientId, terms);
      caller.request("1", "room/k");
      const call = await server.worker.nextRequest();
      server.worker.respond(call.requestId, "done");
      await caller.nextResponse();
      server.states.commit("room/k", eTag === undefined ? {} : { expected: { at: "version", eTag } });
      const { outcome } = await server.states.next();
      if (outcome.at !== "committed") throw new Error(`expected a commit of ${clientId}, got ${outcome.at}`);
      eTag = outcome.eTag;
      server.worker.stream.cancel();
      await caller.takeOver(`here-${clientId}`);
    }
  });

  it("is refused to a worker that does not say that it shares the type, and the host names the remedy", async () => {
    await using rig = await start({ sharedTypes: ["room"] });
    const { states } = await startServer(rig, "A", {});
    states.load("room/k");
    const text = expect.stringContaining("Register it with shared: true.");
    expect(await states.nextFailure()).toEqual({ at: "failed", code: "not-authorized", text });
  });
});

import { describe, expect, it } from "vitest";
import type { CoordinationStore, WriteOutcome } from "../../../../src/cluster/index.ts";
import { realClock } from "../../../../src/core/internal.ts";
import { claimOf, clientOf, clusterWorker, startAcross } from "../../../support/across-rooms.ts";
import type { ClusterHostRig } from "../../../support/cluster-rig.ts";
import { CountingClock } from "../../../support/counting-clock.ts";
import { type Handled, HonestRoom } from "../../../support/honest-room.ts";
import { exact, type RawWorker, textOf } from "../../../support/raw-worker.ts";

const keys = Array.from({ length: 12 }, (_, at) => String(at));

/** Makes one call to each agent; returns the answers or errors by key. */
async function askAll(caller: RawWorker, round: string): Promise<ReadonlyMap<string, string>> {
  const answers = new Map<string, string>();
  for (const key of keys) caller.request(`${round} ${key}`, `room/${key}`, { metadata: { n: `${round}#1` } });
  while (answers.size < keys.length) {
    const answer = await caller.nextResponse();
    answers.set(answer.requestId.slice(round.length + 1), answer.error === "" ? textOf(answer) : answer.error);
  }
  return answers;
}

async function roomAt(host: ClusterHostRig, workerId: string, onHandled: (handled: Handled) => void = () => undefined) {
  const worker = await clusterWorker(host, workerId);
  return { worker, room: new HonestRoom(worker, workerId, onHandled) };
}

describe("the places of agents over several hosts", () => {
  it("stay when workers join, whatever a host guesses then", async () => {
    await using rig = await startAcross({ count: 3 });
    const [one, two, three] = rig.hosts;
    if (one === undefined || two === undefined || three === undefined) throw new Error("There are three hosts.");
    await roomAt(one, "W1");
    const before = await askAll(await clientOf(one, "C1"), "a");
    expect(new Set(before.values())).toEqual(new Set(["W1"]));
    await roomAt(two, "W2");
    await roomAt(three, "W3");
    expect(await askAll(await clientOf(three, "C3"), "b")).toEqual(before);
    expect(await askAll(await clientOf(two, "C2"), "c")).toEqual(before);
    expect(rig.hosts.map(({ host }) => host.counters().claims)).toEqual([keys.length, 0, 0]);
  });

  it("are taken by others when their worker is lost, and calls to them wait until it is gone", async () => {
    await using rig = await startAcross();
    const lost = await roomAt(rig.one, "W1");
    await askAll(await clientOf(rig.one, "C1"), "a");
    await roomAt(rig.two, "W2");
    lost.room.die();
    const caller = await clientOf(rig.two, "C2");
    expect(new Set((await askAll(caller, "b")).values())).toEqual(new Set(["W2"]));
    expect(new Set((await askAll(await clientOf(rig.one, "C3"), "c")).values())).toEqual(new Set(["W2"]));
  });

  it("change without a failed call when an operator has a worker stop", async () => {
    await using rig = await startAcross();
    const handled: Handled[] = [];
    const stopping = await roomAt(rig.one, "W1", (one) => handled.push(one));
    const caller = await clientOf(rig.two, "C");
    await askAll(caller, "a");
    await roomAt(rig.two, "W2", (one) => handled.push(one));
    const drained = rig.one.host.drainWorker("W1", { graceMs: 60_000 });
    const during = askAll(caller, "b");
    stopping.room.stop();
    expect(await drained).toMatchObject({ at: "drained", leftAgents: keys.length, revokedAgents: 0 });
    for (const answer of (await during).values()) expect(["W1", "W2"]).toContain(answer);
    expect(new Set((await askAll(caller, "c")).values())).toEqual(new Set(["W2"]));
    expect(handled.length).toBe(3 * keys.length);
  });

  it("are free when a worker that stops has not let its agents go in time: its channel ends", async () => {
    await using rig = await startAcross();
    const stuck = await clusterWorker(rig.one, "W1");
    const caller = await clientOf(rig.two, "C");
    caller.request("1", "room/k");
    await stuck.nextRequest();
    await roomAt(rig.two, "W2");
    expect(await rig.one.host.drainWorker("W1", { graceMs: 50 })).toMatchObject({ at: "gone" });
    expect(await stuck.ended).toMatchObject({ status: { details: expect.stringContaining("drainGraceMs") } });
    expect(await caller.nextResponse()).toMatchObject({ requestId: "1", metadata: { agerrorcode: "disconnected" } });
    caller.request("2", "room/k");
    expect(textOf(await caller.nextResponse())).toBe("W2");
  });

  it("stay when a worker does not let an agent go within moveTimeoutMs", async () => {
    await using rig = await startAcross({ cluster: { moveTimeoutMs: 100 } });
    const worker = await clusterWorker(rig.one, "W1");
    const caller = await clientOf(rig.two, "C");
    caller.request("1", "room/k");
    const first = await worker.nextRequest();
    worker.send({ kind: "ask-leave", agents: [claimOf(first)], reason: "asked" });
    expect(await worker.next()).toMatchObject({ kind: "leave", reason: "asked" });
    caller.request("2", "room/k");
    const second = await worker.nextRequest();
    expect(claimOf(second)).toEqual(claimOf(first));
    worker.send({ kind: "left", agents: [claimOf(first)] });
    await worker.settled();
    expect(rig.one.host.counters()).toMatchObject({ unmatchedReturns: 1, leavingAgents: 0 });
  });

  it("have no timer when they have left", async () => {
    const clock = new CountingClock(realClock);
    await using rig = await startAcross({ clock, cluster: { moveTimeoutMs: 77_777 } });
    const worker = await clusterWorker(rig.one, "W1");
    const caller = await clientOf(rig.two, "C");
    caller.request("1", "room/k");
    const first = await worker.nextRequest();
    worker.respond(first.requestId, "1");
    worker.send({ kind: "ask-leave", agents: [claimOf(first)], reason: "asked" });
    expect(await worker.next()).toMatchObject({ kind: "leave", reason: "asked" });
    await worker.settled();
    expect(clock.pendingOf(77_777)).toBe(1);
    worker.send({ kind: "left", agents: [claimOf(first)] });
    await worker.settled();
    expect(clock.pendingOf(77_777)).toBe(0);
  });

  it("are kept by their worker while they sleep, and wake there under a higher epoch", async () => {
    await using rig = await startAcross();
    const worker = await clusterWorker(rig.one, "W1");
    const caller = await clientOf(rig.two, "C");
    caller.request("1", "room/k");
    const first = await worker.nextRequest();
    worker.respond(first.requestId, "1");
    await caller.nextResponse();
    worker.send({ kind: "ask-leave", agents: [claimOf(first)], reason: "idle" });
    expect(await worker.next()).toMatchObject({ kind: "leave", reason: "idle" });
    worker.send({ kind: "left", agents: [claimOf(first)] });
    await worker.settled();
    await clusterWorker(rig.two, "W2");
    caller.request("2", "room/k");
    const second = await worker.nextRequest();
    expect(claimOf(second).epoch.number).toBeGreaterThan(claimOf(first).epoch.number);
  });

  it("are found again when their routes were forgotten (maxRoutes)", async () => {
    await using rig = await startAcross({ cluster: { maxRoutes: 2 } });
    await roomAt(rig.one, "W1");
    const caller = await clientOf(rig.two, "C");
    await askAll(caller, "a");
    expect(new Set((await askAll(caller, "b")).values())).toEqual(new Set(["W1"]));
  });

  it("are not asked of a store that does not answer for ever: calls fail, and nothing was sent", async () => {
    let isAway = false;
    const away = (store: CoordinationStore): CoordinationStore => ({
      read: (key, options) => store.read(key, options),
      watch: (prefix, watcher) => store.watch(prefix, watcher),
      purge: (...given) => store.purge(...given),
      announce: (bytes) => store.announce(bytes),
      onAnnouncement: (listener) => store.onAnnouncement(listener),
      close: () => store.close(),
      write: async (key, value, expected): Promise<WriteOutcome> =>
        isAway && key.startsWith("claim.") ? { at: "unknown" } : store.write(key, value, expected),
    });
    await using rig = await startAcross({ storeOf: away });
    const worker = await clusterWorker(rig.one, "W1");
    const [near, far] = [await clientOf(rig.one, "C1"), await clientOf(rig.two, "C2")];
    isAway = true;
    for (const caller of [near, far]) {
      caller.request("1", "room/k");
      const { error, metadata } = await caller.nextResponse();
      expect([error, metadata.agerrorcode]).toEqual([
        "The cluster did not answer in time; nothing was sent. Try again later.",
        "undeliverable",
      ]);
    }
    expect(await worker.settled()).toEqual([]);
    isAway = false;
    far.request("2", "room/k");
    expect(await worker.nextRequest()).toMatchObject({ target: { key: "k" } });
  });
});

describe("events for agents of a type that workers of several hosts share", () => {
  it("reach each agent once, and exclusive types of the same worker once, with strict names", async () => {
    await using rig = await startAcross();
    const worker = await clusterWorker(rig.two, "W");
    await worker.register("log");
    await worker.subscribe("l", exact("news", "log"));
    const publisher = await clientOf(rig.one, "P");
    for (const id of ["e1", "e2"]) {
      publisher.publish("news", "k", id);
      const events = [await worker.nextEvent(), await worker.nextEvent()];
      expect(events.map((event) => event.id)).toEqual([id, id]);
      const names = events.map(({ attributes }) => attributes.agfor ?? "").sort();
      expect(names).toEqual(["", expect.stringMatching(/^!room=\d+\.\d+\.\d+,=\d+$/)]);
    }
    expect(await worker.settled()).toEqual([]);
  });

  it("go to the agent of each topic's source, wherever that is, and to no other worker", async () => {
    await using rig = await startAcross({ count: 3 });
    const handled: Handled[] = [];
    let onHandled = (): void => undefined;
    for (const [at, host] of rig.hosts.entries())
      await roomAt(host, `W${at}`, (one) => {
        handled.push(one);
        onHandled();
      });
    const [one, two] = [await clientOf(rig.one, "P1"), await clientOf(rig.two, "P2")];
    for (const key of keys) {
      one.publish("news", key, `P1#${key}`);
      two.publish("news", key, `P2#${key}`);
    }
    while (handled.length < 2 * keys.length)
      await new Promise<void>((resolve) => {
        onHandled = resolve;
      });
    for (const key of keys) {
      const ofKey = handled.filter((event) => event.key === key);
      expect(ofKey.map(({ sender }) => sender).sort()).toEqual(["P1", "P2"]);
      expect(new Set(ofKey.map(({ workerId }) => workerId)).size).toBe(1);
    }
    await Promise.all([one.settled(), two.settled()]);
    expect(handled.length).toBe(2 * keys.length);
  });
});

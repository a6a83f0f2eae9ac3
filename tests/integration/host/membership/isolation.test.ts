import { describe, expect, it } from "vitest";
import { type ClusterHostRig, type ClusterRig, clusterTransports } from "../../../support/cluster-rig.ts";
import { connection, status, statusOf } from "../../../support/cluster-worker.ts";
import { RawControl } from "../../../support/raw-control.ts";
import { RawWorker, textOf } from "../../../support/raw-worker.ts";
import { StalledCoordination } from "../../../support/stalled-coordination.ts";
import { SteppedClock } from "../../../support/stepped-clock.ts";

const [memory] = clusterTransports;
if (memory === undefined) throw new Error("There are memory links.");
const { start } = memory;

interface Cut {
  readonly rig: ClusterHostRig;
  readonly clock: SteppedClock;
  readonly store: StalledCoordination;
}

/** Adds a host whose clock and store the test moves and cuts. */
async function addCut(rig: ClusterRig): Promise<Cut> {
  const clock = new SteppedClock();
  const stores: StalledCoordination[] = [];
  const host = await rig.add({
    host: { clock },
    storeOf: (store) => {
      const own = new StalledCoordination(store);
      stores.push(own);
      return own;
    },
  });
  const [store] = stores;
  if (store === undefined) throw new Error("The host has a store.");
  return { rig: host, clock, store };
}

async function hostRecords(rig: ClusterRig): Promise<readonly { readonly hostId: string; readonly state: string }[]> {
  const records = new Map<string, { readonly hostId: string; readonly state: string }>();
  let end = (): void => {};
  await new Promise<void>((resolve) => {
    end = rig.store.watch("host.", {
      onEntry: ({ key, value }) => records.set(key, JSON.parse(new TextDecoder().decode(value))),
      onReset: () => {},
      onCaughtUp: resolve,
    });
  });
  end();
  return [...records.values()];
}

async function declareDead(rig: ClusterRig, hostId: string): Promise<void> {
  const entry = await rig.store.read(`host.${hostId}`);
  if (entry === undefined || entry === "unknown") throw new Error("The host has no record.");
  const record = JSON.parse(new TextDecoder().decode(entry.value));
  const value = new TextEncoder().encode(JSON.stringify({ ...record, state: "dead" }));
  await rig.store.write(entry.key, value, entry.revision);
}

async function newestHost(rig: ClusterRig, before: readonly { readonly hostId: string }[]): Promise<string> {
  const known = new Set(before.map(({ hostId }) => hostId));
  for (;;) {
    const added = (await hostRecords(rig)).find(({ hostId }) => !known.has(hostId));
    if (added !== undefined) return added.hostId;
    await nextTurn();
  }
}

/** Lets the timers of hosts run. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

describe("a host that has lost touch with its cluster", () => {
  it("hands nothing to workers, and says so to callers, publishers and those that register", async () => {
    await using rig = await start();
    const cut = await addCut(rig);
    const target = await new RawWorker(cut.rig.dial(), "T").join();
    await target.register("echo");
    await target.subscribe("s", { kind: "type", topicType: "news", agentType: "echo" });
    const caller = await new RawWorker(cut.rig.dial(), "C").join();
    caller.request("1", "echo/k");
    const early = await target.nextRequest();
    cut.store.goAway();
    await cut.clock.pass(20_000);
    caller.request("2", "echo/k");
    expect(await caller.nextResponse()).toMatchObject({
      requestId: "2",
      error: "This host has lost touch with its cluster; nothing was sent.",
    });
    caller.request("3", "other/k");
    expect(await caller.nextResponse()).toMatchObject({ requestId: "3", error: expect.stringContaining("lost touch") });
    caller.publish("news");
    await expect(caller.register("late")).rejects.toThrow("This host has lost touch with its cluster.");
    await expect(caller.subscribe("t", { kind: "type", topicType: "a", agentType: "b" })).rejects.toThrow("lost touch");
    expect(cut.rig.host.counters()).toMatchObject({ isolatedEvents: 1, deliveredEvents: 0 });
    target.respond(early.requestId, "early");
    const answer = await caller.nextResponse();
    expect([answer.requestId, textOf(answer)]).toEqual(["1", "early"]);
    const newcomer = new RawWorker(cut.rig.dial(), "N").open();
    expect(await statusOf(newcomer)).toMatchObject({ code: status.unavailable });
    expect(cut.rig.host.counters().channels).toBe(2);
    cut.store.comeBack();
    await cut.clock.pass(2_000);
    caller.request("4", "echo/k");
    target.respond((await target.nextRequest()).requestId, "again");
    expect(textOf(await caller.nextResponse())).toBe("again");
  });

  it("is not ready while it is isolated, and is again afterwards", async () => {
    await using rig = await start();
    const { rig: host, clock, store } = await addCut(rig);
    const health = host.host.servicer.asHealthService();
    const { signal } = new AbortController();
    const isReady = async (): Promise<boolean> => {
      const call = { method: "Check", metadata: {}, peer: "probe", signal };
      // The answer has one field: 1 is SERVING, 2 NOT_SERVING.
      return (await health.unary(new Uint8Array(0), call)).at(-1) === 1;
    };
    expect(await isReady()).toBe(true);
    store.goAway();
    await clock.pass(20_000);
    expect(await isReady()).toBe(false);
    store.comeBack();
    await clock.pass(2_000);
    expect(await isReady()).toBe(true);
  });

  it("answers requests about the state of agents, and passes them to no worker", async () => {
    await using rig = await start();
    const cut = await addCut(rig);
    const target = await new RawWorker(cut.rig.dial(), "T").join();
    await target.register("echo");
    const [asked, asker] = [await RawControl.open(cut.rig.dial(), "T"), await RawControl.open(cut.rig.dial(), "C")];
    cut.store.goAway();
    await cut.clock.pass(20_000);
    const agentId = { type: "echo", key: "k" };
    const respondTo = "clientid=C";
    for (const [rpcId, type] of [
      ["1", "echo"],
      ["2", "other"],
    ] as const)
      asker.send({ rpcId, destination: `agentid=${type}/k`, respondTo, body: { kind: "save-request", agentId } });
    for (const rpcId of ["1", "2"])
      expect(await asker.next()).toMatchObject({
        rpcId,
        body: { kind: "save-response", error: expect.stringContaining("lost touch with its cluster") },
      });
    expect(await asked.settled()).toEqual([]);
  });

  it("sends Troupe's workers to other hosts, ends their channels after 1 s, and keeps those of stock workers", async () => {
    await using rig = await start();
    const cut = await addCut(rig);
    const worker = await connection(cut.rig, { workerId: "w", session: 1 }).join();
    const stock = await new RawWorker(cut.rig.dial(), "S").join();
    cut.store.goAway();
    await cut.clock.pass(19_500);
    for (;;) {
      const frame = await worker.next();
      if (frame.kind !== "leaving") continue;
      expect(frame.graceMs).toBe(1_000);
      expect(new Set(frame.addresses)).toEqual(new Set([rig.one.host.address, rig.two.host.address]));
      break;
    }
    await cut.clock.pass(1_000);
    expect(await statusOf(worker)).toMatchObject({
      code: status.unavailable,
      details: expect.stringContaining("lost"),
    });
    expect(cut.rig.host.sessions().map(({ clientId }) => clientId)).toEqual([stock.clientId]);
  });

  it("gives back the calls of other hosts, and they go to the worker when the host has its lease again", async () => {
    await using rig = await start();
    const cut = await addCut(rig);
    const target = await new RawWorker(cut.rig.dial(), "T").join();
    await target.register("echo");
    const caller = await new RawWorker(rig.one.dial(), "C").join();
    cut.store.goAway();
    await cut.clock.pass(19_500);
    caller.request("1", "echo/k");
    expect(await caller.nextResponse()).toMatchObject({ requestId: "1", metadata: { agerrorcode: "undeliverable" } });
    cut.store.comeBack();
    await cut.clock.pass(2_000);
    caller.request("2", "echo/k");
    target.respond((await target.nextRequest()).requestId, "again");
    expect(textOf(await caller.nextResponse())).toBe("again");
  });
});

describe("a host that others have declared dead", () => {
  it("goes on under another id: stock workers keep their channels and types, Troupe's connect again", async () => {
    await using rig = await start();
    const before = await hostRecords(rig);
    const cut = await addCut(rig);
    const hostId = await newestHost(rig, before);
    const target = await new RawWorker(cut.rig.dial(), "T").join();
    await target.register("echo");
    const worker = await connection(cut.rig, { workerId: "w", session: 1 }).join();
    const all = await hostRecords(rig);
    await declareDead(rig, hostId);
    expect(await statusOf(worker)).toMatchObject({ code: status.aborted, details: expect.stringContaining("dead") });
    expect(await newestHost(rig, all)).not.toBe(hostId);
    const caller = await new RawWorker(rig.one.dial(), "C").join();
    const ask = async (): Promise<string> => {
      for (let number = 1; ; number += 1) {
        caller.request(String(number), "echo/k");
        const { error } = await caller.nextResponse();
        if (error === "") return String(number);
        await cut.clock.pass(250);
      }
    };
    const asked = ask();
    for (;;) {
      const frame = await target.next();
      if (frame.kind !== "request") continue;
      target.respond(frame.requestId, "here");
      break;
    }
    await asked;
    // Under a new id: the other host may have buried the worker with its dead host by now.
    await connection(cut.rig, { workerId: "w2", session: 1 }).join();
  });

  it("ends the channel of a stock worker whose type another worker has by then", async () => {
    await using rig = await start();
    const before = await hostRecords(rig);
    const cut = await addCut(rig);
    const hostId = await newestHost(rig, before);
    const target = await new RawWorker(cut.rig.dial(), "T").join();
    await target.register("echo");
    cut.store.goAway();
    await declareDead(rig, hostId);
    const successor = await new RawWorker(rig.one.dial(), "S").join();
    while ((await successor.register("echo").catch((error: unknown) => error)) instanceof Error) await nextTurn();
    cut.store.comeBack();
    await cut.clock.pass(6_000);
    expect(await statusOf(target)).toMatchObject({
      code: status.aborted,
      details: "Agent type echo already registered with client S.",
    });
  });
});

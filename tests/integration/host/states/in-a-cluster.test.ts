import { describe, expect, it } from "vitest";
import { compareEpochs, type Epoch, parseEpoch, type StateStore } from "../../../../src/core/internal.ts";
import { encodeFrame } from "../../../../src/protocol/internal.ts";
import { commitOf, commitOne } from "../../../../src/testing/contracts/state-store/store-case.ts";
import { type ClusterHostRig, type ClusterRig, clusterTransports } from "../../../support/cluster-rig.ts";
import { openedRig, openRig, withServer } from "../../../support/postgres-rig.ts";
import type { PostgresServer } from "../../../support/postgres-server.ts";
import { RawStates } from "../../../support/raw-states.ts";
import { beginStream, chunk, streaming } from "../../../support/raw-streams.ts";
import { RawWorker, textOf, textPayload } from "../../../support/raw-worker.ts";

let server: PostgresServer;
withServer((started) => {
  server = started;
});

const [memory] = clusterTransports;
if (memory === undefined) throw new Error("There are memory links.");
const { start: startHosts } = memory;
const room = { type: "room", key: "k" };
const shared = { agshared: "1" };

/** Two hosts with one schema, and a third store on it for the test itself. */
async function start(
  before: (store: StateStore) => Promise<unknown> = () => Promise.resolve(),
): Promise<{ readonly rig: ClusterRig; readonly store: StateStore }> {
  const { store, schema } = await openedRig(server.url(), { writers: "many" });
  await before(store);
  const stores: StateStore[] = [];
  for (let index = 0; index < 2; index += 1)
    stores.push((await openRig(server.url(), { writers: "many", schema })).store);
  const rig = await startHosts({ host: () => ({ stateStore: stores.pop() }) });
  return { rig, store };
}

/** A worker that keeps states at a host. */
async function serve(host: ClusterHostRig, name: string, type: string, terms: Readonly<Record<string, string>>) {
  const metadata = { agcaps: "states,claims,lease", agworker: `worker-${name}`, agsession: "1" };
  const worker = await new RawWorker(host.dial(), name, { isAnnounced: true, metadata }).join();
  await worker.register(type, terms);
  return { worker, states: new RawStates(worker.link, name) };
}

type Server = Awaited<ReturnType<typeof serve>>;

/** Calls an agent; resolves to the epoch that its worker is told. */
async function epochOfCall(caller: RawWorker, { worker }: Server, target: string): Promise<Epoch> {
  caller.request(target, target);
  const { requestId, metadata } = await worker.nextRequest();
  worker.respond(requestId, "done");
  await caller.nextResponse();
  return parseEpoch(metadata.agepoch ?? "");
}

async function storedEpoch(store: StateStore, agent: { readonly type: string; readonly key: string }): Promise<Epoch> {
  const record = await store.load(agent);
  if (record === undefined || record === "unchanged" || record.epoch === undefined) throw new Error("nothing stored");
  return record.epoch;
}

describe("an answer that rides on a commit and overtakes its chunks, in a cluster", () => {
  it("comes behind them at another host", async () => {
    const { rig } = await start();
    await using _ = rig;
    const metadata = { agcaps: "states,claims,lease,turns,streams", agworker: "worker-A", agsession: "1" };
    const target = await new RawWorker(rig.two.dial(), "A", { isAnnounced: true, metadata }).join();
    await target.register("poet");
    const states = new RawStates(target.link, "A");
    const caller = await new RawWorker(rig.one.dial(), "C", streaming).join();
    const requestId = await beginStream(caller, target);
    const answer = { requestId, payload: textPayload("the answer"), error: "", metadata: { agchunks: "2" } };
    states.commit("poet/k", { answers: [encodeFrame({ kind: "response", ...answer })] });
    expect((await states.next()).outcome.at).toBe("committed");
    for (const offset of [0, 1]) target.send(chunk(requestId, offset));
    for (const offset of [0, 1]) expect(await caller.next()).toMatchObject({ kind: "chunk", offset });
    expect(textOf(await caller.nextResponse())).toBe("the answer");
    // The next one never has its second chunk.
    const lost = await beginStream(caller, target);
    states.commit("poet/k", {
      expected: { at: "anything" },
      answers: [encodeFrame({ kind: "response", ...answer, requestId: lost })],
    });
    expect((await states.next()).outcome.at).toBe("committed");
    target.send(chunk(lost, 0));
    expect(await caller.next()).toMatchObject({ kind: "chunk", offset: 0 });
    target.stream.cancel();
    const response = await caller.nextResponse();
    expect(textOf(response)).toBe("the answer");
    expect(response.metadata).toEqual({ agchunks: "2" });
  });
});

describe("the state of an agent in a cluster", () => {
  it("is written under the epoch of its claim, and of a shared type by the host that serves its worker", async () => {
    const { rig, store } = await start();
    await using _ = rig;
    const holder = await serve(rig.two, "A", "room", shared);
    const caller = await new RawWorker(rig.one.dial(), "C").join();
    const epoch = await epochOfCall(caller, holder, "room/k");
    holder.states.load("room/k");
    expect((await holder.states.next()).outcome).toEqual({ at: "nothing" });
    holder.states.commit("room/k", { epoch });
    expect((await holder.states.next()).outcome.at).toBe("committed");
    expect(await storedEpoch(store, room)).toEqual(epoch);
  });

  it("is written by the first life of a cluster, though the database has a newer generation than the coordination store would begin with", async () => {
    const generation = Math.floor(Date.now() / 1_000) + 1_000_000;
    const { rig } = await start((store) =>
      commitOne(store, commitOf({ agent: room, epoch: { generation, era: 1, number: 1 } })),
    );
    await using _ = rig;
    const holder = await serve(rig.two, "A", "room", shared);
    const caller = await new RawWorker(rig.one.dial(), "C").join();
    const epoch = await epochOfCall(caller, holder, "room/k");
    expect(epoch.generation).toBeGreaterThan(generation);
    holder.states.commit("room/k", { epoch });
    expect((await holder.states.next()).outcome.at).toBe("committed");
  });

  it("is not written by a worker whose agent has been read under a newer epoch, though its host does not know it yet", async () => {
    const { rig, store } = await start();
    await using _ = rig;
    const holder = await serve(rig.one, "A", "room", shared);
    const caller = await new RawWorker(rig.two.dial(), "C").join();
    const epoch = await epochOfCall(caller, holder, "room/k");
    // As another host does that has claimed the agent and loads it.
    const newer = { ...epoch, number: epoch.number + 1 };
    expect((await commitOne(store, commitOf({ agent: room, epoch: newer }))).at).toBe("committed");
    holder.states.commit("room/k", { epoch });
    expect((await holder.states.next()).outcome).toEqual({ at: "stale", epoch: newer });
    holder.states.load("room/k");
    expect(await holder.states.nextFailure()).toMatchObject({ code: "shutting-down" });
    expect(await store.load(room)).toBeUndefined();
    expect(rig.one.host.counters()).toMatchObject({ commits: 0, staleCommits: 1 });
  });

  it("is fenced by a load, also where nothing is stored", async () => {
    const { rig, store } = await start();
    await using _ = rig;
    const holder = await serve(rig.one, "A", "room", shared);
    const caller = await new RawWorker(rig.two.dial(), "C").join();
    const epoch = await epochOfCall(caller, holder, "room/k");
    const older = { ...epoch, number: epoch.number - 1 };
    holder.states.load("room/k");
    expect((await holder.states.next()).outcome).toEqual({ at: "nothing" });
    expect(await commitOne(store, commitOf({ agent: room, epoch: older }))).toEqual({ at: "stale", epoch });
  });

  it("of an exclusive type is written under the epoch of the type's record, which rises with each owner on any host", async () => {
    const { rig, store } = await start();
    await using _ = rig;
    const desk = { type: "desk", key: "k" };
    const first = await serve(rig.one, "A", "desk", {});
    first.states.commit("desk/k");
    const { outcome } = await first.states.next();
    if (outcome.at !== "committed") throw new Error(outcome.at);
    const older = await storedEpoch(store, desk);
    const second = await serve(rig.two, "B", "other", {});
    first.worker.send({ kind: "leaving", graceMs: 1_000 });
    await first.worker.settled();
    await second.worker.takeOver("desk");
    second.states.load("desk/k");
    expect((await second.states.next()).outcome).toMatchObject({ at: "record" });
    first.states.commit("desk/k", { expected: { at: "anything" } });
    expect((await first.states.next()).outcome.at).toBe("stale");
    second.states.commit("desk/k", { expected: { at: "version", eTag: outcome.eTag } });
    expect((await second.states.next()).outcome.at).toBe("committed");
    expect(compareEpochs(await storedEpoch(store, desk), older)).toBeGreaterThan(0);
  });

  it("is refused to a worker that no host has sent a message for it", async () => {
    const { rig } = await start();
    await using _ = rig;
    const idle = await serve(rig.one, "A", "room", shared);
    idle.states.commit("room/k");
    expect(await idle.states.nextFailure()).toMatchObject({ code: "not-authorized" });
    idle.states.commit("desk/k");
    expect(await idle.states.nextFailure()).toMatchObject({ code: "not-authorized" });
  });
});

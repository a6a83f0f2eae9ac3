import { describe, expect, it } from "vitest";
import { limits } from "../../../../src/host/limits.ts";
import type { ControlBody, ControlEnvelope } from "../../../../src/protocol/internal.ts";
import { claimOf, clientOf, clusterWorker, startAcross } from "../../../support/across-rooms.ts";
import type { ClusterHostRig, ClusterRig } from "../../../support/cluster-rig.ts";
import { RawControl } from "../../../support/raw-control.ts";
import { RawWorker } from "../../../support/raw-worker.ts";

function saving(target: string, rpcId = target): ControlEnvelope {
  const [type = "", key = ""] = target.split("/");
  const body: ControlBody = { kind: "save-request", agentId: { type, key } };
  return { rpcId, destination: `agentid=${target}`, respondTo: "clientid=C", body };
}

/** A worker of rooms, with a control channel. */
async function roomAt(host: ClusterHostRig, workerId: string, session = 1) {
  const worker = await clusterWorker(host, workerId, { session });
  return { worker, control: await RawControl.open(host.dial(), `${workerId}-${session}`) };
}

async function askerAt(host: ClusterHostRig): Promise<RawControl> {
  await clientOf(host, "C");
  return RawControl.open(host.dial(), "C");
}

function third({ hosts }: ClusterRig): ClusterHostRig {
  const host = hosts[2];
  if (host === undefined) throw new Error("There are three hosts.");
  return host;
}

/** Answers a request with the name of the worker, and returns it. */
async function answerNext(control: RawControl, name: string): Promise<ControlEnvelope> {
  const request = await control.next();
  const body: ControlBody = { kind: "save-response", state: JSON.stringify(name), error: undefined };
  control.send({ rpcId: request.rpcId, destination: request.respondTo ?? "", respondTo: "", body });
  return request;
}

async function calledOnce(worker: RawWorker, caller: RawWorker, target: string) {
  caller.request(target, target);
  const request = await worker.nextRequest();
  worker.respond(request.requestId, "done");
  await caller.nextResponse();
  return claimOf(request);
}

describe("a control request about an agent of a shared type, over several hosts", () => {
  it("gives an agent without a worker to a worker of another host, and names its epoch there", async () => {
    await using rig = await startAcross();
    const { control } = await roomAt(rig.two, "W");
    const asker = await askerAt(rig.one);
    asker.send(saving("room/k"));
    expect((await answerNext(control, "W")).epoch?.number).toBeGreaterThan(0);
    expect(await asker.next()).toMatchObject({ rpcId: "room/k", body: { state: '"W"', error: undefined } });
    expect(rig.two.host.counters()).toMatchObject({ claims: 1, unroutableControlMessages: 0 });
  });

  it("finds the worker that has the agent, wherever its host looks first", async () => {
    await using rig = await startAcross({ count: 3 });
    const keys = Array.from({ length: 20 }, (_, at) => `room/${at}`);
    const holder = await roomAt(rig.one, "W1");
    const caller = await clientOf(rig.one, "C1");
    const claims = new Map<string, number>();
    for (const key of keys) claims.set(key, (await calledOnce(holder.worker, caller, key)).epoch.number);
    // Agents stay. A host that knows no route looks at these workers for most of them first.
    await roomAt(rig.two, "W2");
    await roomAt(third(rig), "W3");
    const asker = await askerAt(third(rig));
    for (const key of keys) asker.send(saving(key));
    for (const _ of keys) {
      const { rpcId, epoch } = await answerNext(holder.control, "W1");
      expect(epoch?.number).toBe(claims.get(rpcId));
    }
    for (const _ of keys) expect(await asker.next()).toMatchObject({ body: { state: '"W1"', error: undefined } });
  });

  it("finds an agent that has moved since the last call on the route to it", async () => {
    await using rig = await startAcross({ count: 3 });
    const before = await roomAt(rig.one, "W1");
    const claim = await calledOnce(before.worker, await clientOf(third(rig), "C3"), "room/k");
    const after = await roomAt(rig.two, "W2");
    before.worker.send({ kind: "leaving-worker", graceMs: 60_000 });
    for (let frame = await before.worker.next(); frame.kind !== "leave"; frame = await before.worker.next());
    before.worker.send({ kind: "left", agents: [claim] });
    const asker = await askerAt(third(rig));
    asker.send(saving("room/k"));
    expect((await answerNext(after.control, "W2")).epoch?.number).toBeGreaterThan(claim.epoch.number);
    expect(await asker.next()).toMatchObject({ body: { state: '"W2"' } });
    expect(await before.control.settled()).toEqual([]);
  });

  it("waits while the worker that has the agent is between two hosts", async () => {
    await using rig = await startAcross({ cluster: { rejoinGraceMs: 60_000 } });
    const before = await roomAt(rig.two, "W", 1);
    await calledOnce(before.worker, await clientOf(rig.two, "C2"), "room/k");
    before.worker.stream.cancel();
    await before.worker.ended;
    before.control.stream.cancel();
    const asker = await askerAt(rig.one);
    asker.send(saving("room/k"));
    expect(await asker.settled()).toEqual([]);
    const after = await roomAt(rig.two, "W", 2);
    await answerNext(after.control, "W");
    expect(await asker.next()).toMatchObject({ body: { state: '"W"' } });
  });
});

describe("a control request about an agent of an exclusive type, over several hosts", () => {
  it("waits while its worker is between two hosts, and is kept for no asker that has gone", async () => {
    await using rig = await startAcross({ cluster: { rejoinGraceMs: 60_000 } });
    const joined = async (host: ClusterHostRig, session: number) => {
      const metadata = { agcaps: "claims,turns", agworker: "W", agsession: String(session) };
      const raw = new RawWorker(host.dial(), `W-${session}`, { isAnnounced: true, metadata });
      return { raw: await raw.join(), control: await RawControl.open(host.dial(), `W-${session}`) };
    };
    const before = await joined(rig.one, 1);
    await before.raw.register("writer");
    before.control.stream.cancel();
    before.raw.stream.cancel();
    await before.raw.ended;
    const asker = await askerAt(rig.two);
    await clientOf(rig.two, "D");
    const gone = await RawControl.open(rig.two.dial(), "D");
    gone.send({ ...saving("writer/k", "gone"), respondTo: "clientid=D" });
    await gone.settled();
    gone.stream.cancel();
    await gone.ended;
    asker.send(saving("writer/k"));
    expect(await asker.settled()).toEqual([]);
    const after = await joined(rig.one, 2);
    await after.raw.register("writer");
    expect((await answerNext(after.control, "W")).rpcId).toBe("writer/k");
    expect(await asker.next()).toMatchObject({ rpcId: "writer/k", body: { state: '"W"' } });
    expect(await after.control.settled()).toEqual([]);
  });

  it("fails when no host serves the type", async () => {
    await using rig = await startAcross();
    const asker = await askerAt(rig.one);
    asker.send(saving("nobody/k"));
    expect(await asker.next()).toMatchObject({ body: { error: expect.stringContaining("can't be reached") } });
  });

  it("is refused where too much waits for one place, and the bytes of an address have their share", async () => {
    await using rig = await startAcross({ cluster: { rejoinGraceMs: 60_000 } });
    const worker = await new RawWorker(rig.one.dial(), "W-1", {
      isAnnounced: true,
      metadata: { agcaps: "claims,turns", agworker: "W", agsession: "1" },
    }).join();
    await worker.register("writer");
    worker.stream.cancel();
    await worker.ended;
    const asker = await askerAt(rig.two);
    const state = "s".repeat(limits.heldBytesPerPlace / 4);
    const agentId = { type: "writer", key: "k" };
    for (const rpcId of ["1", "2", "3", "4"])
      asker.send({ ...saving("writer/k", rpcId), body: { kind: "load-request", agentId, state } });
    const refused = await asker.next();
    expect(refused).toMatchObject({
      body: { kind: "load-response", error: expect.stringMatching(/^overloaded: Too much waits/) },
    });
  });
});

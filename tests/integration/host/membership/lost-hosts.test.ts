import { describe, expect, it } from "vitest";
import { clusterWorker } from "../../../support/across-rooms.ts";
import { clusterTransports } from "../../../support/cluster-rig.ts";
import { exact, RawWorker, textOf } from "../../../support/raw-worker.ts";
import { StalledCoordination } from "../../../support/stalled-coordination.ts";
import { SteppedClock } from "../../../support/stepped-clock.ts";

const [memory] = clusterTransports;
if (memory === undefined) throw new Error("There are memory links.");
const { start } = memory;

/** Hosts under one clock. The first one vanishes without notice when the test says so. */
async function startHosts(count = 2) {
  const clock = new SteppedClock();
  const stores: StalledCoordination[] = [];
  const rig = await start({
    ...{ count, host: { clock } },
    storeOf: (store) => {
      const own = new StalledCoordination(store);
      stores.push(own);
      return own;
    },
  });
  return {
    ...{ rig, clock },
    vanish: async (worker: RawWorker) => {
      stores[0]?.goAway();
      void rig.one.host.stop({ graceMs: 0 });
      await worker.ended;
      await clock.pass(500);
    },
    [Symbol.asyncDispose]: async () => {
      const ended = rig[Symbol.asyncDispose]();
      await clock.pass(60_000, 1_000);
      await ended;
    },
  };
}

/** The first host has a stock worker with the type `writer`, which has answered a call of a worker of the second one. The host has vanished. */
async function whereWriterIsLost(hosts?: number) {
  const world = await startHosts(hosts);
  const { rig, vanish } = world;
  const worker = await new RawWorker(rig.one.dial(), "W").join();
  await worker.register("writer");
  const caller = await new RawWorker(rig.two.dial(), "C").join();
  await calledOnce(caller, worker, "writer/k");
  await vanish(worker);
  return { ...world, caller };
}

async function calledOnce(caller: RawWorker, worker: RawWorker, target: string): Promise<void> {
  caller.request("0", target);
  worker.respond((await worker.nextRequest()).requestId, "before");
  await caller.nextResponse();
}

describe("an agent type whose host vanishes", () => {
  it("has its calls and registrations wait until the lease of the host is over, and then go on in order", async () => {
    await using world = await whereWriterIsLost();
    const { rig, clock, caller } = world;
    caller.request("1", "writer/k");
    const successor = await new RawWorker(rig.two.dial(), "S").join();
    let isRegistered = false;
    const registered = successor.register("writer").then(() => {
      isRegistered = true;
    });
    await clock.pass(14_000);
    caller.request("2", "writer/k");
    expect([isRegistered, await caller.settled()]).toEqual([false, []]);
    await clock.pass(10_000);
    await registered;
    const ids = [await successor.nextRequest(), await successor.nextRequest()].map(({ requestId }) => requestId);
    for (const [at, id] of ids.entries()) successor.respond(id, `${at}`);
    const answers = [await caller.nextResponse(), await caller.nextResponse()];
    expect(answers.map((answer) => [answer.requestId, textOf(answer)])).toEqual([
      ["1", "0"],
      ["2", "1"],
    ]);
  });

  it("has a registration wait that comes to another host than that of its worker's channel", async () => {
    await using world = await whereWriterIsLost(3);
    const { rig, clock } = world;
    const third = rig.hosts[2];
    if (third === undefined) throw new Error("There are three hosts.");
    const successor = await new RawWorker(rig.two.dial(), "S").join();
    // The barrier shows that the third host knows the worker.
    await successor.subscribe("s", exact("news", "writer"));
    let outcome = "none";
    const registered = new RawWorker(third.dial(), "S").register("writer").then(
      () => {
        outcome = "registered";
      },
      (error: unknown) => {
        outcome = String(error);
      },
    );
    await clock.pass(14_000);
    expect(outcome).toBe("none");
    await clock.pass(10_000);
    await registered;
    expect(outcome).toBe("registered");
  });

  it("fails its calls when no worker takes the type over once the lease is over", async () => {
    await using world = await whereWriterIsLost();
    const { clock, caller } = world;
    caller.request("1", "writer/k");
    await clock.pass(14_000);
    expect(await caller.settled()).toEqual([]);
    await clock.pass(12_000);
    expect(await caller.nextResponse()).toMatchObject({ requestId: "1", metadata: { agerrorcode: "undeliverable" } });
  });
});

it("an agent of a shared type whose host vanishes has its calls wait until another worker may have it", async () => {
  await using world = await startHosts();
  const { rig, clock, vanish } = world;
  const worker = await clusterWorker(rig.one, "W");
  const caller = await new RawWorker(rig.two.dial(), "C").join();
  await calledOnce(caller, worker, "room/k");
  const other = await clusterWorker(rig.two, "V");
  await vanish(worker);
  caller.request("1", "room/k");
  await clock.pass(14_000);
  expect([await caller.settled(), await other.settled()]).toEqual([[], []]);
  await clock.pass(12_000);
  other.respond((await other.nextRequest()).requestId, "after");
  expect(textOf(await caller.nextResponse())).toBe("after");
});

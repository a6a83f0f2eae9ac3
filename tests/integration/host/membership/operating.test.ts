import { describe, expect, it } from "vitest";
import type { ClusterHost, ClusterOperations } from "../../../../src/host/internal.ts";
import { operationsOf } from "../../../../src/host/internal.ts";
import { type ClusterHostRig, clusterTransports } from "../../../support/cluster-rig.ts";
import { RawWorker } from "../../../support/raw-worker.ts";

const { signal } = new AbortController();

function operationsAt({ host }: ClusterHostRig): ClusterOperations {
  const { cluster } = operationsOf(host.servicer);
  if (cluster === undefined) throw new Error("The host is in a cluster.");
  return cluster;
}

/** Reports until a condition holds: links open and close by themselves. */
async function hostsWhen(
  operations: ClusterOperations,
  isSo: (hosts: readonly ClusterHost[]) => boolean,
): Promise<readonly ClusterHost[]> {
  for (;;) {
    const { hosts } = await operations.report(signal);
    if (isSo(hosts)) return hosts;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const areLinked = (hosts: readonly ClusterHost[]): boolean =>
  hosts.length === 2 &&
  hosts.every(({ status }) => status?.links.some(({ isOpen, isAccepted }) => isOpen && isAccepted) === true);

describe.each(clusterTransports)("an operator of a cluster, over $name", ({ start }) => {
  it("sees all hosts at any of them, each with what it tells itself", async () => {
    await using rig = await start();
    const worker = await new RawWorker(rig.two.dial(), "S").join();
    await worker.register("echo");
    const isKnown = (hosts: readonly ClusterHost[]) =>
      areLinked(hosts) && hosts.every(({ status }) => status?.links.every(({ roundTripMs }) => roundTripMs !== null));
    const hosts = await hostsWhen(operationsAt(rig.one), isKnown);
    const [own, other] = [hosts.find(({ isAsked }) => isAsked), hosts.find(({ isAsked }) => !isAsked)];
    expect(own).toMatchObject({ state: "up", workerAddress: rig.one.host.address, problem: null });
    expect(own?.status).toMatchObject({ life: 1, isServing: true, workers: 0, types: 0 });
    expect(other).toMatchObject({ state: "up", workerAddress: rig.two.host.address, leaseMs: 20_000 });
    expect(other?.status).toMatchObject({ life: 1, isServing: true, workers: 1, stockWorkers: 1, types: 1 });
    expect(other?.status?.counters).toMatchObject({ joins: 1, peerLinks: 1, isolations: 0 });
    expect(rig.two.host.counters().cluster).toMatchObject({ joins: 1, peerLinks: 1, deathsDeclared: 0 });
  });

  it("drains a host from another one: it leaves the cluster in order", async () => {
    await using rig = await start();
    const operations = operationsAt(rig.one);
    const other = (await hostsWhen(operations, areLinked)).find(({ isAsked }) => !isAsked);
    await operations.drainHost(other?.hostId ?? "", { graceMs: 5_000, signal });
    await rig.two.host.closed;
    const hosts = await hostsWhen(operations, ({ length }) => length === 1);
    expect(hosts[0]).toMatchObject({ isAsked: true });
    await expect(operations.drainHost(other?.hostId ?? "", { signal })).rejects.toMatchObject({ code: "not-found" });
  });

  it("is refused the drain of the last host that takes workers, and of one that is not there", async () => {
    await using rig = await start();
    const operations = operationsAt(rig.one);
    const own = (await hostsWhen(operations, areLinked)).find(({ isAsked }) => isAsked);
    await expect(operations.drainHost("nobody", { signal })).rejects.toMatchObject({ code: "not-found" });
    await rig.two.host.stop({ graceMs: 5_000 });
    await hostsWhen(operations, ({ length }) => length === 1);
    await expect(operations.drainHost(own?.hostId ?? "", { signal })).rejects.toMatchObject({
      code: "wrong-state",
      message: expect.stringContaining("Start another host first"),
    });
    expect(rig.one.host.counters().channels).toBe(0);
  });
});

it("a lone host has nothing of a cluster to show", async () => {
  const { Host } = await import("../../../../src/host/index.ts");
  const { createMemoryNetwork } = await import("../../../../src/transport/index.ts");
  await using host = new Host({ listener: createMemoryNetwork(), address: "host:1" });
  expect(operationsOf(host.servicer).cluster).toBeUndefined();
  expect(host.counters()).not.toHaveProperty("cluster");
});

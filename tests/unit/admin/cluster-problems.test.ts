import { describe, expect, it } from "vitest";
import { clusterProblems } from "../../../src/admin/internal.ts";
import type { CoordinationStream } from "../../../src/cluster/internal.ts";
import type { ClusterHost, HostStatus } from "../../../src/host/internal.ts";

const status: HostStatus = {
  ...{ life: 1, isServing: true, leaseLeftMs: 19_000, workers: 0, stockWorkers: 0, types: 0, subscriptions: 0 },
  ...{ version: "1.0.0", protocol: { oldest: 1, newest: 1 } },
  ...{ agents: 0, calls: 0, queuedBytes: 0, heldBytes: 0, maxHeldBytes: 1_000, shards: [], links: [], counters: {} },
};

function host(hostId: string, given: Partial<ClusterHost> = {}): ClusterHost {
  return {
    ...{ hostId, name: "", state: "up", isAsked: false, leaseAgeMs: 100, leaseMs: 20_000, problem: null },
    ...{ peerAddress: `${hostId}:2`, workerAddress: `${hostId}:1`, status },
    ...given,
  };
}

function linkedTo(hostId: string): HostStatus {
  const counts = { queuedFrames: 0, queuedBytes: 0, droppedEvents: 0, roundTripMs: null };
  return { ...status, links: [{ hostId, isOpen: true, isAccepted: true, ...counts }] };
}

const stream: CoordinationStream = {
  ...{ stream: "S", use: "mail", state: "there", messages: 1, bytes: 10, maxBytes: 100, copies: 3, storage: "file" },
  ...{ leader: "n1", followers: [], problem: null },
};
const server = {
  ...{ address: "n1:4222", name: "n1", version: "2.12.3", isClustered: true, hasJetStream: true, roundTripMs: 1 },
  problem: null,
};

function problemsOf(hosts: readonly ClusterHost[], given: object = {}): readonly string[] {
  const cluster = { name: "troupe", hostId: "a", generation: 1, leaseMs: 20_000, workerLeaseMs: 3_000, deadHosts: 0 };
  return clusterProblems({ ...cluster, shards: null, store: null, storeProblem: null, hosts, ...given });
}

describe("what is wrong in a cluster", () => {
  it("is nothing where all hosts are linked and serve", () => {
    const [a, b] = [host("a", { status: linkedTo("b") }), host("b", { status: linkedTo("a") })];
    const shards = { count: 2, owners: [0, 1].map((shard) => ({ shard, hostId: "a" })) };
    const store = { servers: [server], streams: [stream], clockAheadMs: 20 };
    expect(problemsOf([a, b], { shards, store })).toEqual([]);
  });

  it("is a host with an older protocol, and not one with another version alone", () => {
    const speaking = (hostId: string, to: string, oldest: number, newest: number): ClusterHost =>
      host(hostId, { status: { ...linkedTo(to), version: `${newest}.0.0`, protocol: { oldest, newest } } });
    const patched = host("b", { status: { ...linkedTo("a"), version: "1.0.1" } });
    expect(problemsOf([host("a", { status: linkedTo("b") }), patched])).toEqual([]);
    const told = problemsOf([speaking("a", "b", 1, 2), speaking("b", "a", 1, 1)]);
    expect(told).toEqual([
      expect.stringMatching(
        /^Host b, version 1\.0\.0, speaks .* up to version 1, and others up to 2\. The hosts use the older one/,
      ),
    ]);
    expect(problemsOf([speaking("a", "b", 2, 3), speaking("b", "a", 1, 1)])).toEqual([
      expect.stringContaining("can't work with it"),
    ]);
    const silent = host("c", { status: { ...linkedTo("a"), version: null, protocol: null } });
    expect(problemsOf([speaking("a", "c", 1, 2), silent]).join()).not.toContain("protocol");
  });

  it("names hosts that are late, silent, isolated or full, and links that are missing", () => {
    const late = host("a", { leaseAgeMs: 12_000, status: linkedTo("b"), name: "eu\u001b[31m" });
    const silent = host("b", { status: null, problem: "It did not answer." });
    const bad = { ...linkedTo("a"), isServing: false, heldBytes: 950, counters: { storeRegressions: 2 } };
    const problems = problemsOf([late, silent, host("c", { status: bad })]);
    const all = problems.join("\n");
    expect(all).toMatch(/\(a\) has not renewed its lease for 12\.0 s of 20\.0 s/);
    expect(all).not.toContain("\u001b");
    expect(all).toContain("Host b does not tell its state: It did not answer.");
    expect(all).toContain("Host c is isolated");
    expect(all).toContain("Host c keeps nearly as many bytes as it may");
    expect(all).toContain("NATS had forgotten writes (2 times)");
    expect(problems.filter((text) => text.includes("has no link to"))).toHaveLength(2);
  });

  it("names shards that nobody reads, and those of hosts that are not up", () => {
    const shards = {
      count: 3,
      owners: [
        { shard: 0, hostId: "a" },
        { shard: 1, hostId: "gone" },
      ],
    };
    expect(problemsOf([host("a")], { shards })).toEqual([expect.stringContaining("No host reads 2 of the 3 shards")]);
  });

  it("names servers, streams and copies of the store that do not do, and clocks that differ", () => {
    const copy = { server: "n2", isCurrent: false, isOffline: false, lag: 7, silentMs: 12_000 };
    const streams = [
      { ...stream, copies: 1 },
      { ...stream, followers: [copy, { ...copy, server: "n3", isOffline: true }] },
      { ...stream, bytes: 95 },
      { ...stream, state: "missing" as const },
      { ...stream, storage: "memory" },
    ];
    const servers = [server, { ...server, address: "n2:4222", problem: "It is away." }];
    const all = problemsOf([host("a")], { store: { servers, streams, clockAheadMs: -6_000 } }).join("\n");
    for (const text of [
      ...[
        "n2:4222 can't be used: It is away.",
        "has 1 of 3 copies: nats stream edit S --replicas 3",
        "n2 lacks 7 writes",
      ],
      ...["n3 is offline", "nearly full", "is missing", "is in memory", "differ by 6.0 s"],
    ])
      expect(all).toContain(text);
    expect(problemsOf([host("a")], { storeProblem: "no client" })).toEqual([expect.stringContaining("no client")]);
  });
});

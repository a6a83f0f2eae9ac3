import { describe, expect, it } from "vitest";
import { type AgentPlacement, hashOfText } from "../../../../src/core/internal.ts";
import { type Candidate, compareVersions, directors } from "../../../../src/host/placement/directors.ts";
import type { Peer } from "../../../../src/host/sessions/peer.ts";

/** What the directors read of a peer. */
const peer = (id: string, calls: number) => ({ worker: { id }, incomingCalls: { size: calls } }) as unknown as Peer;

function candidate(name: string, calls = 0): Candidate {
  return {
    worker: { id: name, name, version: undefined, labels: {} },
    peer: peer(name, calls),
    nameHash: hashOfText(name),
  };
}

/** The load of a worker: its calls, and its agents by the worker's id. */
const loadBeside =
  (agents: { readonly [id: string]: number } = {}) =>
  (of: Peer) => ({ agents: agents[of.worker.id] ?? 0, calls: of.incomingCalls.size });

function place(placement: AgentPlacement, candidates: readonly Candidate[], given: object = {}): string | undefined {
  const request = { key: "k", callerId: undefined, turn: 0, random: () => 0, loadOf: loadBeside(), ...given };
  return directors[placement](request, candidates)?.worker.name;
}

const three = ["a", "b", "c"].map((name) => candidate(name));
const keys = Array.from({ length: 3_000 }, (_, at) => `key ${at}`);

describe("placement by hash", () => {
  it("gives each worker about its share, and the same key always to the same worker", () => {
    const counts = new Map<string | undefined, number>();
    for (const key of keys) {
      const name = place("hash", three, { key });
      expect(place("hash", [...three].reverse(), { key })).toBe(name);
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    for (const count of counts.values()) expect(Math.abs(count - 1_000)).toBeLessThan(150);
    expect(counts.size).toBe(3);
  });

  it("moves only the keys of a worker that leaves", () => {
    for (const key of keys) {
      const before = place("hash", three, { key });
      if (before !== "b") expect(place("hash", three.slice(0, 1).concat(three.slice(2)), { key })).toBe(before);
    }
  });
});

describe("other placements", () => {
  it("by load prefers the worker with fewer agents and calls, of two that are picked at random", () => {
    const picks = [0, 0.99];
    const random = () => picks.shift() ?? 0;
    const loadOf = loadBeside({ a: 5 });
    expect(place("least-loaded", [candidate("a"), candidate("b"), candidate("c", 1)], { random, loadOf })).toBe("c");
    expect(place("least-loaded", [candidate("only")])).toBe("only");
  });

  it("in turn goes from worker to worker", () => {
    expect([0, 1, 2, 3].map((turn) => place("round-robin", three, { turn }))).toEqual(["a", "b", "c", "a"]);
  });

  it("prefers the caller's own worker, and else goes by hash", () => {
    expect(place("prefer-local", three, { callerId: "c" })).toBe("c");
    expect(place("prefer-local", three, { callerId: "x" })).toBe(place("hash", three));
  });
});

it("orders versions by their numbers, and none is the oldest", () => {
  const sorted = ["1.9", "2", "1.10", undefined, "1.10.1", "1.10-rc"].sort(compareVersions);
  // `sort` puts undefined last whatever the order says.
  expect(sorted).toEqual(["1.9", "1.10", "1.10.1", "1.10-rc", "2", undefined]);
  expect(compareVersions(undefined, "0")).toBeLessThan(0);
});

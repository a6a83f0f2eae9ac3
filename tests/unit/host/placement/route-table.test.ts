import { describe, expect, it } from "vitest";
import type { WorkerElsewhere } from "../../../../src/host/peers/worker-elsewhere.ts";
import { RouteTable } from "../../../../src/host/placement/cluster/route-table.ts";

// The table reads nothing else of a channel.
const channelOf = (hostId: string, slot = 1) => ({ link: { hostId }, slot }) as unknown as WorkerElsewhere;

describe("routes to agents at other hosts", () => {
  it("are no more than their number, though a client has 100,000 agents, and a route in use is seldom forgotten", () => {
    const routes = new RouteTable(1_000);
    const [crowd, other] = [channelOf("a"), channelOf("b")];
    let [found, most] = [0, 0];
    for (let at = 0; at < 100_000; at += 1) {
      routes.set("room", `crowd-${at}`, crowd);
      most = Math.max(most, routes.size);
      // With each 100 routes that come, one message goes by the victim's.
      if (at % 100 > 0) continue;
      if (routes.find("room", "victim") === other) found += 1;
      else routes.set("room", "victim", other);
    }
    expect(most).toBe(1_000);
    expect(found).toBeGreaterThan(900);
  });

  it("have 64 bytes of keys each on average, and no more", () => {
    const routes = new RouteTable(1_000);
    const key = (at: number) => `${at}`.padStart(1_000, "k");
    for (let at = 0; at < 2_000; at += 1) routes.set("room", key(at), channelOf("a"));
    // The bytes of 1,000 routes hold 64 of these keys at most, and the one that has come.
    expect(routes.size).toBeLessThanOrEqual(65);
    expect(routes.size).toBeGreaterThan(30);
    expect(routes.find("room", key(1_999))).toBeDefined();
  });

  it("to a worker that ends are forgotten in 100,000 steps, between which others find theirs", () => {
    const routes = new RouteTable(200_000);
    const [gone, other] = [channelOf("a"), channelOf("b")];
    for (let at = 0; at < 100_000; at += 1) routes.set("room", `${at}`, gone);
    routes.set("room", "victim", other);
    let steps = 0;
    for (const step of routes.deletionsOf(gone)) {
      step();
      steps += 1;
      if (steps % 10_000 === 0) expect(routes.find("room", "victim")).toBe(other);
    }
    expect([steps, routes.size]).toEqual([100_000, 1]);
  });
});

import { expect, it } from "vitest";
import { CallRings } from "../../../../src/host/calls/call-rings.ts";
import { createHostCounters } from "../../../../src/host/counters.ts";
import { limits } from "../../../../src/host/limits.ts";
import type { Peer } from "../../../../src/host/sessions/peer.ts";
import type { PendingCall } from "../../../../src/host/sessions/pending-call.ts";
import { createMemoryAccountant } from "../../../../src/transport/internal.ts";

function setUp(maxBytes: number) {
  const counters = createHostCounters();
  const accountant = createMemoryAccountant({ maxBytes });
  const calls = new Map<string, PendingCall>();
  const rings = new CallRings({ counters, callNamed: (id) => calls.get(id), onRing: () => undefined });
  const peer = (party: string): Peer => {
    const account = accountant.openAccount({ party, name: party, giveWay: () => undefined });
    // A report concerns nothing else of the worker.
    return { account } as Peer;
  };
  const report = (from: Peer, id: string): void => {
    // Nor of the call.
    calls.set(id, { reportBytes: 0, target: from } as PendingCall);
    rings.report(from, { kind: "stuck", requestId: id, path: "t@a/k", behind: ["none"] });
  };
  const forgetAll = (): void => {
    for (const call of calls.values()) rings.forget(call);
  };
  return { counters, accountant, rings, peer, report, forgetAll };
}

it("watches two thirds of the reports of one address, so that there is a place for those of another", () => {
  const { counters, rings, peer, report } = setUp(1024 ** 3);
  const [greedy, modest] = [peer("greedy"), peer("modest")];
  for (let count = 0; count < limits.stuckCalls; count += 1) report(greedy, `g${count}`);
  expect(rings.size).toBe(6_667);
  expect(counters.unwatchedCalls).toBe(limits.stuckCalls - 6_667);
  for (let count = 0; count < 1_000; count += 1) report(modest, `m${count}`);
  expect(rings.size).toBe(7_667);
});

it("charges each report to the worker that sends it, and gives all back", () => {
  const { counters, accountant, rings, peer, report, forgetAll } = setUp(100_000);
  const worker = peer("one");
  for (let count = 0; count < 1_000; count += 1) report(worker, `c${count}`);
  expect(rings.size).toBeGreaterThan(10);
  expect(rings.size).toBeLessThan(100);
  expect(counters.unwatchedCalls).toBe(1_000 - rings.size);
  expect(worker.account.held).toBe(accountant.heldBytes);
  forgetAll();
  expect(rings.size).toBe(0);
  expect(accountant.heldBytes).toBe(0);
});

import { expect, it } from "vitest";
import { BatchRunner } from "../../../../../src/host/batch-runner.ts";
import { CallRings } from "../../../../../src/host/calls/rings/call-rings.ts";
import { createHostCounters } from "../../../../../src/host/counters.ts";
import { limits } from "../../../../../src/host/limits.ts";
import type { Peer } from "../../../../../src/host/sessions/peer.ts";
import type { PendingCall } from "../../../../../src/host/sessions/pending-call.ts";
import { createMemoryAccountant } from "../../../../../src/transport/internal.ts";
import { TurnClock } from "../../../../support/turn-clock.ts";

function setUp(maxBytes: number) {
  const counters = createHostCounters();
  const accountant = createMemoryAccountant({ maxBytes });
  const calls = new Map<string, PendingCall>();
  const clock = new TurnClock();
  const broken: string[] = [];
  const rings = new CallRings({
    ...{ counters, batches: new BatchRunner(clock), callNamed: (id) => calls.get(id), isOver: () => false },
    isOwn: () => true,
    cluster: { isInUse: false, reported: () => undefined, forgotten: () => undefined },
    onRing: (_call, ring) => broken.push(ring),
  });
  const peer = (party: string): Peer => {
    const account = accountant.openAccount({ party, name: party, giveWay: () => undefined });
    // A report concerns nothing else of the worker.
    return { id: party, account } as Peer;
  };
  const report = (from: Peer, id: string, { path = "t@a/k", behind = ["none"] } = {}): void => {
    // Nor of the call.
    calls.set(id, { reportBytes: 0, target: from } as PendingCall);
    rings.report(from, { kind: "stuck", requestId: id, path, behind });
  };
  const forgetAll = (): void => {
    for (const call of calls.values()) rings.forget(call);
  };
  return { counters, accountant, rings, peer, report, forgetAll, clock, broken };
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

/** Reports thousands of calls that wait for each other's turns, and at last the one that closes a ring of all of them. */
function reportManyInOneRing({ report, peer, clock }: ReturnType<typeof setUp>) {
  const worker = peer("one");
  const count = 5_000;
  const turn = (index: number) => `t${index % count}`;
  for (let index = 1; index < count; index += 1) {
    const behind = Array.from({ length: 40 }, (_, step) => turn(index + 1 + step)).filter(
      (_, step) => index + step < count,
    );
    report(worker, `c${index}`, { path: `${turn(index)}@a/${index}`, behind });
  }
  clock.turns();
  report(worker, "c0", { path: `${turn(0)}@a/0`, behind: [turn(1)] });
}

it("looks for a ring among thousands of calls in turns, and finds it", () => {
  const rig = setUp(1024 ** 3);
  reportManyInOneRing(rig);
  expect(rig.broken).toEqual([]);
  expect(rig.clock.turns()).toBeGreaterThan(2);
  expect(rig.broken).toEqual([expect.stringMatching(/^a\/0 → a\/1 → .* → a\/0$/)]);
});

it("gives up a search when its call has ended", () => {
  const rig = setUp(1024 ** 3);
  reportManyInOneRing(rig);
  rig.forgetAll();
  expect(rig.clock.turns()).toBeLessThan(3);
  expect(rig.broken).toEqual([]);
});

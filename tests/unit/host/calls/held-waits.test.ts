import { expect, it } from "vitest";
import { BatchRunner } from "../../../../src/host/batch-runner.ts";
import type { CallRings } from "../../../../src/host/calls/call-rings.ts";
import type { CallTable } from "../../../../src/host/calls/call-table.ts";
import { HeldWaits } from "../../../../src/host/calls/held-waits.ts";
import { limits } from "../../../../src/host/limits.ts";
import type { MovingAgent } from "../../../../src/host/placement/moving-agent.ts";
import type { Workers } from "../../../../src/host/placement/workers.ts";
import type { PendingCall } from "../../../../src/host/sessions/pending-call.ts";
import { encodeFrame } from "../../../../src/protocol/internal.ts";
import { ManualClock } from "../../../../src/testing/index.ts";

/** A worker with so many calls, all for an agent that leaves it. */
function setUp(running: number) {
  const clock = new ManualClock();
  const turns = new ManualClock();
  // The search for rings asks for nothing else of calls, agents, workers and the other tables.
  const call = { targetType: "room", targetKey: "k", target: undefined } as PendingCall;
  const all = new Array<PendingCall>(running).fill(call);
  const agent = { at: "leaving", type: { name: "room" }, key: "k", claim: { workerId: "W" } } as MovingAgent;
  const peer = { account: { party: "address" }, incomingCalls: { all: () => all } };
  let looks = 0;
  const peersOf = () => {
    looks += 1;
    return [peer];
  };
  const calls = { has: () => true, idTextOf: () => "T", named: () => undefined } as unknown as CallTable;
  const workers = { peersOf, peerOf: () => peer } as unknown as Workers;
  const reported: PendingCall[] = [];
  const rings = { reportHeld: (one: PendingCall) => reported.push(one), forget: () => {} } as unknown as CallRings;
  const waits = new HeldWaits({ clock, batches: new BatchRunner(turns), calls, workers, rings });
  const frame = encodeFrame({
    ...{ kind: "request", requestId: "1", target: { type: "room", key: "k" }, source: undefined, method: "" },
    ...{ payload: { typeName: "T", contentType: "application/json", data: new Uint8Array() } },
    metadata: { agpath: "t@desk/d" },
  });
  const hold = (): PendingCall => {
    const held = { target: undefined } as PendingCall;
    waits.add({ call: held, frame }, agent);
    return held;
  };
  return { clock, turns, waits, reported, hold, looks: () => looks };
}

it("calls that wait one after the other for agents of a busy worker have one look through its calls together", () => {
  const { clock, turns, waits, reported, hold, looks } = setUp(200 * 2 * limits.batchSize);
  const held: PendingCall[] = [];
  for (let count = 0; count < 100; count += 1) {
    held.push(hold());
    clock.advance(1);
  }
  clock.advance(limits.heldStuckMs);
  // The first look goes on in later turns.
  expect([looks(), reported.length]).toEqual([1, 0]);
  const [, second] = held;
  if (second !== undefined) waits.forget(second);
  clock.advance(limits.heldStuckMs / 2);
  for (let turn = 0; turn < 10; turn += 1) turns.advance(1);
  expect(looks()).toBe(2);
  expect(reported).toEqual(held.filter((one) => one !== second));
  hold();
  clock.advance(limits.heldStuckMs);
  for (let turn = 0; turn < 10; turn += 1) turns.advance(1);
  expect([looks(), reported.length]).toEqual([3, 100]);
});

it("calls that begin to wait one after the other have the calls of a worker looked through twice a second at most", () => {
  const { clock, turns, hold, looks } = setUp(1);
  for (let ms = 0; ms < 2_000; ms += 10) {
    hold();
    clock.advance(10);
    turns.advance(1);
  }
  expect(looks()).toBeGreaterThan(0);
  expect(looks()).toBeLessThanOrEqual(3);
  clock.advance(10_000);
  expect([looks() <= 6, clock.pendingTimers]).toEqual([true, 0]);
});

import { describe, expect, test } from "vitest";
import { BatchRunner } from "../../../../../src/host/batch-runner.ts";
import type { CallTable } from "../../../../../src/host/calls/call-table.ts";
import type { CallRings } from "../../../../../src/host/calls/rings/call-rings.ts";
import { HeldWaits, type HeldWaitsParts } from "../../../../../src/host/calls/rings/held-waits.ts";
import { limits } from "../../../../../src/host/limits.ts";
import type { MovingAgent } from "../../../../../src/host/placement/moving-agent.ts";
import type { Workers } from "../../../../../src/host/placement/workers.ts";
import { createIncomingCalls, type PendingCall } from "../../../../../src/host/sessions/pending-call.ts";
import { encodeFrame } from "../../../../../src/protocol/index.ts";
import { ManualClock } from "../../../../../src/testing/index.ts";
import { pendingCall } from "../../../../support/pending-call.ts";
import { peerOf } from "../../../../support/placed-peer.ts";

type Report = Parameters<HeldWaitsParts["rings"]["reportHeld"]>;

/** The waits of a host with the worker `w`, which has the agent `room/k`. */
function openWaits() {
  const clock = new ManualClock();
  const batches = new BatchRunner(clock);
  const incomingCalls = createIncomingCalls();
  const peer = peerOf("w", "here", { incomingCalls });
  const table = new Set<PendingCall>();
  const reports: Report[] = [];
  const forgotten: PendingCall[] = [];
  const seen = { looks: 0, tasks: 0 };
  const waits = new HeldWaits({
    clock,
    batches: {
      add: (owner: unknown, tasks: Iterable<() => void>) => {
        const all = [...tasks];
        seen.tasks += all.length;
        batches.add(owner, all);
      },
      // Nothing else of the runner plays a part.
    } as BatchRunner,
    calls: {
      has: (call) => table.has(call),
      named: (text) => [...table].find(({ hostId }) => `h-${hostId}` === text),
      idTextOf: ({ hostId }) => `h-${hostId}`,
    },
    workers: {
      peersOf: () => {
        seen.looks += 1;
        return [peer];
      },
      peerOf: () => peer,
    },
    rings: { reportHeld: (...report) => void reports.push(report), forget: (call) => void forgotten.push(call) },
  });
  // The waits read nothing else of an agent.
  const agent = { type: { name: "room" }, key: "k", claim: { workerId: "w" }, at: "leaving" } as MovingAgent;
  /** A call that the worker has. */
  const running = (hostId: number, targetKey = "k"): PendingCall => {
    const call = pendingCall({ hostId, targetType: "room", targetKey, target: peer });
    table.add(call);
    incomingCalls.add(call);
    return call;
  };
  const hold = (hostId: number, path = "t@desk/d"): PendingCall => {
    const call = pendingCall({ hostId });
    table.add(call);
    const frame = encodeFrame({
      ...{ kind: "request", requestId: "r", source: undefined, target: { type: "room", key: "k" } },
      ...{ payload: undefined, metadata: path === "" ? {} : { agpath: path } },
    });
    waits.add({ call, frame }, agent);
    return call;
  };
  return { clock, waits, agent, table, reports, forgotten, seen, running, hold };
}

describe("a call that a turn waits for, and that is held for an agent that leaves its worker", () => {
  test("is reported after a second, with the calls that the agent still has there", () => {
    const { clock, reports, running, hold } = openWaits();
    const [first] = [running(1), running(2, "of another agent"), running(3)];
    const call = hold(10);
    clock.advance(limits.heldStuckMs - 1);
    hold(11);
    expect(reports).toEqual([]);
    clock.advance(1);
    expect(reports.map(([held, { behind, path }]) => [held === call, behind, path.length])).toEqual([
      [true, ["h-1", "h-3"], 1],
    ]);
    const stillRuns = reports[0]?.[1].stillRuns ?? (() => undefined);
    expect([stillRuns("h-1"), stillRuns("h-99")]).toEqual([true, false]);
    first.target = undefined;
    expect(stillRuns("h-1")).toBe(false);
  });

  test("is not reported if it has ended, has a worker, or its agent has left meanwhile", () => {
    const { clock, agent, table, reports, running, hold } = openWaits();
    const target = running(1).target;
    table.delete(hold(10));
    hold(11).target = target;
    clock.advance(limits.heldStuckMs);
    hold(12);
    agent.at = "placing";
    clock.advance(limits.heldStuckMs);
    expect(reports).toEqual([]);
  });

  test("is not reported if the agent has no call there, and costs nothing if no turn waits for it", () => {
    const { clock, reports, seen, running, hold } = openWaits();
    running(1, "of another agent");
    hold(10);
    clock.advance(limits.heldStuckMs);
    expect(reports).toEqual([]);
    hold(11, "");
    expect([clock.pendingTimers, seen.looks]).toEqual([0, 1]);
  });

  test("is forgotten with its timer, or by the search for rings that has it", () => {
    const { clock, waits, reports, forgotten, running, hold } = openWaits();
    running(1);
    const [young, old] = [hold(10), hold(11)];
    waits.forget(young);
    expect([clock.pendingTimers, forgotten.length]).toEqual([1, 0]);
    clock.advance(limits.heldStuckMs);
    expect(reports.map(([call]) => call)).toEqual([old]);
    waits.forget(old);
    expect(forgotten).toEqual([old]);
    waits.forget(hold(12));
    expect([clock.pendingTimers, forgotten.length]).toEqual([0, 1]);
  });

  test("is reported behind 100 calls at most, which the host looks through in parts", () => {
    const { clock, reports, seen, running, hold } = openWaits();
    for (let at = 1; at <= 1_000; at += 1) running(at);
    hold(2_000);
    clock.advance(2 * limits.heldStuckMs);
    expect(reports.map(([, { behind }]) => behind.length)).toEqual([limits.stuckBehind]);
    expect([seen.looks, seen.tasks]).toEqual([1, 6]);
  });

  test("is looked for among a worker's calls twice a second at most, however many begin to wait one after the other", () => {
    const { clock, reports, seen, running, hold } = openWaits();
    running(1);
    for (let ms = 0; ms < 2_000; ms += 10) {
      hold(10 + ms);
      clock.advance(10);
    }
    expect(seen.looks).toBeGreaterThan(0);
    expect(seen.looks).toBeLessThanOrEqual(3);
    clock.advance(10_000);
    expect([seen.looks <= 6, clock.pendingTimers, reports.length]).toEqual([true, 0, 200]);
  });
});

/** A worker with so many calls, all for an agent that leaves it. */
function openBusyWorker(running: number) {
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

test("calls that wait one after the other for agents of a busy worker have one look through its calls together", () => {
  const { clock, turns, waits, reported, hold, looks } = openBusyWorker(200 * 2 * limits.batchSize);
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

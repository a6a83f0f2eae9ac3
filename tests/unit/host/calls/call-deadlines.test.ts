import { expect, it } from "vitest";
import { CallDeadlines } from "../../../../src/host/calls/call-deadlines.ts";
import type { Peer } from "../../../../src/host/sessions/peer.ts";
import type { PendingCall } from "../../../../src/host/sessions/pending-call.ts";
import { ManualClock } from "../../../../src/testing/index.ts";

function setUp(commonMs: number) {
  const clock = new ManualClock();
  const due: string[] = [];
  const calls = new Set<PendingCall>();
  const remove = (call: PendingCall) => {
    calls.delete(call);
    deadlines.remove(call);
  };
  const deadlines = new CallDeadlines({
    clock,
    commonMs,
    onDue: (call) => {
      due.push(call.targetKey);
      remove(call);
    },
  });
  const add = (targetKey: string, timeoutMs: number): PendingCall => {
    // The caller plays no part in deadlines.
    const caller = {} as Peer;
    const ids = { hostId: calls.size, callerId: new Uint8Array(), targetType: "a", targetKey };
    const call = {
      caller,
      ...ids,
      heldBytes: 0,
      timeoutMs,
      openedMs: 0,
      dueMs: 0,
      timer: undefined,
      target: undefined,
      outgoingSlot: 0,
      incomingSlot: 0,
    };
    calls.add(call);
    deadlines.add(call);
    return call;
  };
  return { clock, due, add, remove };
}

it("lets each call fall due once, after its own time", () => {
  const { clock, due, add } = setUp(100);
  add("first", 100);
  clock.advance(50);
  add("second", 100);
  add("short", 10);
  clock.advance(10);
  expect(due).toEqual(["short"]);
  clock.advance(40);
  expect(due).toEqual(["short", "first"]);
  clock.advance(50);
  expect(due).toEqual(["short", "first", "second"]);
  expect(clock.pendingTimers).toBe(0);
});

it("needs one timer for any number of calls with the common timeout", () => {
  const { clock, due, add, remove } = setUp(100);
  const calls = Array.from({ length: 1_000 }, (_, index) => add(`${index}`, 100));
  expect(clock.pendingTimers).toBe(1);
  for (const call of calls.slice(1)) remove(call);
  clock.advance(100);
  expect(due).toEqual(["0"]);
});

it("watches calls that came after all earlier ones had gone", () => {
  const { clock, due, add, remove } = setUp(100);
  remove(add("gone", 100));
  clock.advance(60);
  add("later", 100);
  clock.advance(99);
  expect(due).toEqual([]);
  clock.advance(1);
  expect(due).toEqual(["later"]);
});

it("forgets a call that is removed, and its timer", () => {
  const { clock, due, add, remove } = setUp(0);
  const one = add("one", 10);
  add("never", 0);
  remove(one);
  clock.advance(1_000);
  expect(due).toEqual([]);
  expect(clock.pendingTimers).toBe(0);
});

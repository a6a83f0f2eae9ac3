import { expect, it } from "vitest";
import { CallDeadlines } from "../../../src/host/call-deadlines.ts";
import type { PendingCall } from "../../../src/host/pending-call.ts";
import type { Session } from "../../../src/host/session.ts";
import { ManualClock } from "../../../src/testing/index.ts";

function call(hostId: string, timeoutMs: number): PendingCall {
  // The caller plays no part in deadlines.
  const caller = {} as Session;
  return { hostId, caller, callerId: new Uint8Array(), targetType: "a", targetKey: "k", timeoutMs, target: undefined };
}

function setUp(commonMs: number) {
  const clock = new ManualClock();
  const due: string[] = [];
  const deadlines = new CallDeadlines(clock, commonMs, ({ hostId }) => due.push(hostId));
  return { clock, due, deadlines };
}

it("lets each call fall due after its own time, in that order", () => {
  const { clock, due, deadlines } = setUp(100);
  deadlines.add(call("first", 100));
  clock.advance(50);
  deadlines.add(call("second", 100));
  deadlines.add(call("short", 10));
  clock.advance(10);
  expect(due).toEqual(["short"]);
  clock.advance(40);
  expect(due).toEqual(["short", "first"]);
  clock.advance(50);
  expect(due).toEqual(["short", "first", "second"]);
});

it("needs one timer for any number of calls with the common timeout", () => {
  const { clock, due, deadlines } = setUp(100);
  const calls = Array.from({ length: 1_000 }, (_, index) => call(`${index}`, 100));
  for (const each of calls) deadlines.add(each);
  expect(clock.pendingTimers).toBe(1);
  for (const each of calls.slice(1)) deadlines.remove(each);
  clock.advance(100);
  expect(due).toEqual(["0"]);
});

it("forgets a call that is removed, and its timer", () => {
  const { clock, due, deadlines } = setUp(0);
  const one = call("one", 10);
  deadlines.add(one);
  deadlines.add(call("never", 0));
  deadlines.remove(one);
  clock.advance(1_000);
  expect(due).toEqual([]);
  expect(clock.pendingTimers).toBe(0);
});

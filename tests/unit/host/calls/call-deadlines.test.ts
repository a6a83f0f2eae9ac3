import { setImmediate as nextTurn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, it } from "vitest";
import type { Clock } from "../../../../src/core/index.ts";
import { CallDeadlines } from "../../../../src/host/calls/call-deadlines.ts";
import type { PendingCall } from "../../../../src/host/sessions/pending-call.ts";
import { ManualClock } from "../../../../src/testing/index.ts";
import { pendingCall } from "../../../support/pending-call.ts";
import { StallingClock } from "../../../support/stalling-clock.ts";

setFlagsFromString("--expose-gc");
const collect: () => void = runInNewContext("gc");

function setUp<Of extends Clock>(commonMs: number, clock: Of) {
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
  const add = (targetKey: string, timeoutMs: number, of: Partial<PendingCall> = {}): PendingCall => {
    const call = pendingCall({ hostId: calls.size, targetKey, timeoutMs, ...of });
    calls.add(call);
    deadlines.add(call);
    return call;
  };
  return { clock, due, add, remove };
}

it("lets each call fall due once, after its own time", () => {
  const { clock, due, add } = setUp(100, new ManualClock());
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
  const { clock, due, add, remove } = setUp(100, new ManualClock());
  const calls = Array.from({ length: 1_000 }, (_, index) => add(`${index}`, 100));
  expect(clock.pendingTimers).toBe(1);
  for (const call of calls.slice(1)) remove(call);
  clock.advance(100);
  expect(due).toEqual(["0"]);
});

it("watches calls that came after all earlier ones had gone", () => {
  const { clock, due, add, remove } = setUp(100, new ManualClock());
  remove(add("gone", 100));
  clock.advance(60);
  add("later", 100);
  clock.advance(99);
  expect(due).toEqual([]);
  clock.advance(1);
  expect(due).toEqual(["later"]);
});

it("forgets a call that is removed, and its timer", () => {
  const { clock, due, add, remove } = setUp(0, new ManualClock());
  const one = add("one", 10);
  add("never", 0);
  remove(one);
  clock.advance(1_000);
  expect(due).toEqual([]);
  expect(clock.pendingTimers).toBe(0);
});

it.each([
  ["the common timeout", 100],
  ["a timeout of its own", 50],
])("ends a call with %s after a block only when the host has read what came meanwhile", (_which, timeoutMs) => {
  const { clock, due, add, remove } = setUp(100, new StallingClock());
  const answered = add("answered", timeoutMs);
  add("silent", timeoutMs);
  clock.turnAfter(400);
  expect(due).toEqual([]);
  remove(answered);
  clock.turnAfter(10);
  expect(due).toEqual(["silent"]);
});

it("does not keep a call that has left, however many others stay", async () => {
  const { add, remove } = setUp(100, new ManualClock());
  for (let count = 0; count < 3_000; count += 1) add("stays", 100);
  const leave = (): WeakRef<PendingCall> => {
    const call = add("leaves", 100);
    remove(call);
    return new WeakRef(call);
  };
  const left = Array.from({ length: 500 }, leave);
  // A weak reference holds its object until the turn of the event loop ends.
  await nextTurn();
  collect();
  // The stack may still hold the last one.
  expect(left.filter((call) => call.deref() !== undefined).length).toBeLessThan(10);
});

function streamFrom(movedMs: number) {
  const bytes = { askedBytes: 1_024, grantedBytes: 1_024, sentBytes: 0, chunks: 0 };
  return { stream: { ...bytes, movedMs, isCut: false, answer: undefined } };
}

it("lets a stream fall due its time after its last chunk or grant", () => {
  const { clock, due, add, remove } = setUp(100, new ManualClock());
  const moving = add("moving", 100, streamFrom(clock.now()));
  add("still", 100, streamFrom(clock.now()));
  clock.advance(60);
  if (moving.stream !== undefined) moving.stream.movedMs = clock.now();
  clock.advance(40);
  expect(due).toEqual(["still"]);
  clock.advance(59);
  expect(due).toEqual(["still"]);
  clock.advance(1);
  expect(due).toEqual(["still", "moving"]);
  remove(moving);
  expect(clock.pendingTimers).toBe(0);
});

it("needs one timer for any number of streams that begin at one moment", () => {
  const { clock, due, add, remove } = setUp(300_000, new ManualClock());
  const first = Array.from({ length: 1_000 }, (_, index) => add(`${index}`, 300_000, streamFrom(clock.now())));
  expect(clock.pendingTimers).toBe(1);
  // Their moments are 300 ms long.
  for (let count = 0; count < 1_000; count += 1) {
    clock.advance(3);
    first.push(add("later", 300_000, streamFrom(clock.now())));
  }
  expect(clock.pendingTimers).toBeLessThanOrEqual(12);
  for (const call of first) remove(call);
  expect(clock.pendingTimers).toBe(0);
  expect(due).toEqual([]);
});

it("lets a stream whose target can send no chunks leave, and fall due, as any call", () => {
  const { clock, due, add, remove } = setUp(100, new ManualClock());
  const [one, other] = ["one", "other"].map((key) => add(key, 100, streamFrom(clock.now())));
  for (const call of [one, other]) if (call !== undefined) call.stream = undefined;
  if (one !== undefined) remove(one);
  clock.advance(100);
  expect(due).toEqual(["other"]);
  expect(clock.pendingTimers).toBe(0);
});

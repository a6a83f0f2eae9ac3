import { expect, test } from "vitest";
import { DeadlineQueue } from "../../../src/core/delivery/calls/deadline-queue.ts";
import { PendingCall } from "../../../src/core/delivery/calls/pending-call.ts";
import { deadlineAfter, setPatientTimer } from "../../../src/core/internal.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import { StallingClock } from "../../support/stalling-clock.ts";

test("a patient timer fires at its time when the loop is free", () => {
  const clock = new ManualClock();
  let fired = 0;
  setPatientTimer(clock, 500, () => {
    fired += 1;
  });
  clock.advance(499);
  expect(fired).toBe(0);
  clock.advance(1);
  expect([fired, clock.pendingTimers]).toEqual([1, 0]);
});

test("a patient timer that is cancelled never fires", () => {
  const clock = new ManualClock();
  const timer = setPatientTimer(clock, 500, () => expect.unreachable());
  clock.advance(250);
  timer.cancel();
  expect(clock.pendingTimers).toBe(0);
});

test("a patient timer does not judge right after a block: the loop turns first, however long the block was", () => {
  const clock = new StallingClock();
  let fired = 0;
  setPatientTimer(clock, 500, () => {
    fired += 1;
  });
  clock.turnAfter(60_000);
  expect(fired).toBe(0);
  for (let part = 0; part < 3; part += 1) clock.turnAfter(100);
  expect(fired).toBe(0);
  clock.turnAfter(100);
  expect(fired).toBe(1);
});

test("a patient timer fires at last also when the loop is never free", () => {
  const clock = new StallingClock();
  let fired = 0;
  setPatientTimer(clock, 500, () => {
    fired += 1;
  });
  for (let turn = 0; turn < 9; turn += 1) clock.turnAfter(1_000);
  expect(fired).toBe(0);
  clock.turnAfter(1_000);
  expect(fired).toBe(1);
});

test("an answer that came while the loop was blocked counts, though the time of its call is over", async () => {
  const clock = new StallingClock();
  const call = new PendingCall<string>();
  call.within({ timeoutMs: 300 }, deadlineAfter(300, clock));
  clock.turnAfter(600);
  // The loop reads now.
  expect(call.resolve("in time")).toBe(true);
  expect(await call.promise).toBe("in time");
});

test("a call without an answer ends a moment after the block", async () => {
  const clock = new StallingClock();
  const call = new PendingCall<string>();
  call.within({ timeoutMs: 300 }, deadlineAfter(300, clock));
  const outcome = call.promise.catch((error: unknown) => error);
  clock.turnAfter(600);
  clock.turnAfter(10);
  expect(await outcome).toMatchObject({ code: "timed-out" });
});

test("items that join or leave while the queue lets the loop read keep their deadlines", () => {
  const clock = new StallingClock();
  const queue = new DeadlineQueue(clock);
  const due: string[] = [];
  const item = (name: string) => ({
    ...{ dueMs: 0, dueOrder: 0, duePlace: -1, duePrevious: undefined, dueNext: undefined, keepsProcessAlive: true },
    onDue: () => due.push(name),
  });
  const [late, answered, next] = [item("late"), item("answered"), item("next")];
  for (const one of [late, answered]) queue.add(one, { atMs: 100, clock } as never);
  clock.turnAfter(500);
  queue.add(next, { atMs: 505, clock } as never);
  queue.remove(answered);
  expect(due).toEqual([]);
  clock.turnAfter(10);
  expect(due).toEqual(["late", "next"]);
  expect(queue.size).toBe(0);
});

import { expect, test } from "vitest";
import { CancelledError, TimedOutError } from "../../../../src/core/index.ts";
import { deadlineAfter, deadlineOf, HandlerContext, remainingMs } from "../../../../src/core/internal.ts";
import { ManualClock } from "../../../../src/testing/manual-clock.ts";

const details = { sender: undefined, topicId: undefined, isRpc: true, messageId: "m" };

function contextOf(signal?: AbortSignal): HandlerContext {
  return new HandlerContext({ ...details, signal });
}

/** A context whose caller waits for 100 ms. */
function bounded() {
  const clock = new ManualClock();
  return { clock, context: new HandlerContext({ ...details, deadline: deadlineAfter(100, clock) }) };
}

test("the signal is made once, and aborts with the first reason", () => {
  const context = contextOf();
  const { signal } = context;
  context.abort("first");
  context.abort("second");
  expect(context.signal).toBe(signal);
  expect([signal.aborted, signal.reason]).toEqual([true, "first"]);
});

test("an abort before anybody has asked for the signal is not lost", () => {
  const context = contextOf();
  context.abort("early");
  expect(context.signal.reason).toBe("early");
});

test("the signal follows the one of the caller, whose reason is the cause", () => {
  const caller = new AbortController();
  const { signal } = contextOf(caller.signal);
  expect(signal.aborted).toBe(false);
  caller.abort("enough");
  for (const { reason } of [signal, contextOf(caller.signal).signal]) {
    expect(reason).toBeInstanceOf(CancelledError);
    expect(reason).toMatchObject({ code: "cancelled", cause: "enough" });
  }
});

test("once released it follows no more", () => {
  const caller = new AbortController();
  const context = contextOf(caller.signal);
  const { signal } = context;
  context.release();
  caller.abort();
  expect(signal.aborted).toBe(false);
  const late = contextOf(caller.signal);
  late.release();
  expect(late.signal.aborted).toBe(true);
});

test("at the deadline the signal aborts as timed out", () => {
  const { clock, context } = bounded();
  const { signal } = context;
  clock.advance(99);
  expect(signal.aborted).toBe(false);
  clock.advance(1);
  expect(signal.reason).toBeInstanceOf(TimedOutError);
});

test("a handler that never asks for its signal costs no timer, and one that ends leaves none", () => {
  const { clock, context } = bounded();
  expect(clock.pendingTimers).toBe(0);
  expect(context.signal.aborted).toBe(false);
  expect(clock.pendingTimers).toBe(1);
  context.release();
  expect(clock.pendingTimers).toBe(0);
});

test("a signal that is asked for after the deadline has aborted already", () => {
  const { clock, context } = bounded();
  clock.advance(100);
  expect(context.signal.reason).toBeInstanceOf(TimedOutError);
  expect(clock.pendingTimers).toBe(0);
});

test("an earlier abort stands, and takes the timer along", () => {
  const { clock, context } = bounded();
  const { signal } = context;
  context.abort("first");
  expect([signal.reason, clock.pendingTimers]).toEqual(["first", 0]);
});

test("the time that is left is known by the signal for as long as the handler runs", () => {
  const { clock, context } = bounded();
  const { signal } = context;
  clock.advance(30);
  const deadline = deadlineOf(signal);
  expect(deadline && remainingMs(deadline)).toBe(70);
  context.release();
  expect(deadlineOf(signal)).toBeUndefined();
  expect(deadlineOf(new AbortController().signal)).toBeUndefined();
  expect(deadlineOf(undefined)).toBeUndefined();
});

test("a deadline beyond what timers take is known but never falls due", () => {
  const clock = new ManualClock();
  const context = new HandlerContext({ ...details, deadline: deadlineAfter(2 ** 40, clock) });
  expect(deadlineOf(context.signal)?.atMs).toBe(2 ** 40);
  expect(clock.pendingTimers).toBe(0);
  expect(deadlineAfter(Number.POSITIVE_INFINITY, clock)).toBeUndefined();
});

test("a deadline that somebody else watches is known, and falls due by their word only", () => {
  const clock = new ManualClock();
  const context = new HandlerContext({ ...details, deadline: deadlineAfter(100, clock), isDeadlineWatched: true });
  expect(deadlineOf(context.signal)?.atMs).toBe(100);
  clock.advance(100);
  expect([context.signal.aborted, clock.pendingTimers]).toEqual([false, 0]);
});

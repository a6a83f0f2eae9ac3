import { expect, test } from "vitest";
import { AgentId, CancelledError, SingleThreadedAgentRuntime, TimedOutError } from "../../../../src/core/index.ts";
import { deadlineAfter, HandlerContext, scopeOf } from "../../../../src/core/internal.ts";
import { ManualClock } from "../../../../src/testing/manual-clock.ts";

const agentId = new AgentId("echo", "k");
const runtime = new SingleThreadedAgentRuntime();
const details = { sender: undefined, topicId: undefined, isRpc: true, messageId: "m", agentId, runtime };

function contextOf(signal?: AbortSignal): HandlerContext {
  return new HandlerContext({ ...details, signal });
}

/** A context whose caller waits for 100 ms. */
function bounded(signal?: AbortSignal) {
  const clock = new ManualClock();
  return { clock, context: new HandlerContext({ ...details, signal, deadline: deadlineAfter(100, clock) }) };
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
});

test("a signal that is first read after the handler has ended aborts for nothing that happens later", () => {
  const caller = new AbortController();
  const { clock, context } = bounded(caller.signal);
  context.release();
  caller.abort();
  clock.advance(100);
  expect(context.signal.aborted).toBe(false);
});

test.each([true, false])(
  "a caller that gives up after the handler has ended aborts nothing, signal read before: %s",
  (isRead) => {
    const context = contextOf();
    if (isRead) expect(context.signal.aborted).toBe(false);
    context.release();
    context.abort("too late");
    expect(context.signal.aborted).toBe(false);
  },
);

test("a signal that is first read after the handler has ended tells that the caller had aborted before", () => {
  const caller = new AbortController();
  const context = contextOf(caller.signal);
  caller.abort("enough");
  context.release();
  expect(context.signal.reason).toMatchObject({ code: "cancelled", cause: "enough" });
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

test("the signal leads to the scope for as long as the handler runs", () => {
  const { clock, context } = bounded();
  const { signal } = context;
  clock.advance(30);
  expect(scopeOf(signal)).toBe(context.scope);
  expect(scopeOf(signal)?.deadline?.remainingMs()).toBe(70);
  context.release();
  expect(scopeOf(signal)).toBeUndefined();
});

test("the scope names the agent, its runtime and the deadline, and is made once", () => {
  const { context } = bounded();
  const { path, depth } = context.scope;
  expect({ ...context.scope, path, depth }).toEqual({
    ...{ agentId, runtime, deadline: context.deadline, path: [], depth: 0 },
  });
  expect(context.scope).toBe(context.scope);
  expect(context.deadline?.remainingMs()).toBe(100);
  expect(contextOf().scope.deadline).toBeUndefined();
  expect(contextOf().deadline).toBeUndefined();
});

test("a context of no handler has no scope", () => {
  const context = new HandlerContext({ sender: undefined, topicId: undefined, isRpc: true, messageId: "m" });
  expect(() => context.scope).toThrow("belongs to no handler");
  expect(scopeOf(context.signal)).toBeUndefined();
});

test("a deadline beyond what timers take is known but never falls due", () => {
  const clock = new ManualClock();
  const context = new HandlerContext({ ...details, deadline: deadlineAfter(2 ** 40, clock) });
  expect(scopeOf(context.signal)?.deadline?.atMs).toBe(2 ** 40);
  expect(clock.pendingTimers).toBe(0);
  expect(deadlineAfter(Number.POSITIVE_INFINITY, clock)).toBeUndefined();
});

test("a deadline that somebody else watches is known, and falls due by their word only", () => {
  const clock = new ManualClock();
  const context = new HandlerContext({ ...details, deadline: deadlineAfter(100, clock), isDeadlineWatched: true });
  expect(scopeOf(context.signal)?.deadline?.atMs).toBe(100);
  clock.advance(100);
  expect([context.signal.aborted, clock.pendingTimers]).toEqual([false, 0]);
});

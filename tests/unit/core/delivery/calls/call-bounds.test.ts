import { describe, expect, test } from "vitest";
import {
  AgentId,
  type CallScope,
  CancelledError,
  SingleThreadedAgentRuntime,
  TimedOutError,
  withScope,
} from "../../../../../src/core/index.ts";
import { boundsOf, deadlineAfter, errorBeforeSend, HandlerContext, scopeOf } from "../../../../../src/core/internal.ts";
import { ManualClock } from "../../../../../src/testing/manual-clock.ts";

const none = { defaultTimeoutMs: undefined, ambient: undefined };

const agentId = new AgentId("echo", "k");
const runtime = new SingleThreadedAgentRuntime();

/** The context of a handler whose caller waits for 100 ms more. */
function handlerContext(clock = new ManualClock()): HandlerContext {
  const deadline = deadlineAfter(100, clock);
  const details = { sender: undefined, topicId: undefined, isRpc: true, messageId: "m", agentId, runtime };
  return new HandlerContext({ ...details, deadline });
}

function handlerSignal(clock?: ManualClock): AbortSignal {
  return handlerContext(clock).signal;
}

function ambientWith(signal: AbortSignal | undefined) {
  const run = <T>(_context: unknown, body: () => T): T => body();
  return {
    inFactory: run,
    inHandler: run,
    inSubscription: run,
    subscribingAgentType: () => undefined,
    handlerAgentId: () => undefined,
    handlerSignal: () => signal,
  };
}

describe("the bounds of a call", () => {
  test("are its own, else the runtime's default, else there are none", () => {
    const { signal } = new AbortController();
    expect(boundsOf({}, none)).toEqual({});
    expect(boundsOf({ signal, timeoutMs: 5 }, { ...none, defaultTimeoutMs: 9 })).toEqual({ signal, timeoutMs: 5 });
    expect(boundsOf({}, { ...none, defaultTimeoutMs: 9 })).toEqual({ timeoutMs: 9 });
    expect(boundsOf({ timeoutMs: Infinity }, { ...none, defaultTimeoutMs: 9 })).toEqual({ timeoutMs: Infinity });
  });

  test("are what is left to the handler whose signal is passed, unless the call wants less", () => {
    const clock = new ManualClock();
    const signal = handlerSignal(clock);
    clock.advance(40);
    expect(boundsOf({ signal }, none)).toEqual({ signal, timeoutMs: 60 });
    expect(boundsOf({ signal, timeoutMs: 5 }, none)).toEqual({ signal, timeoutMs: 5 });
    expect(boundsOf({ signal, timeoutMs: 500 }, none).timeoutMs).toBe(60);
    expect(boundsOf({ signal }, { ...none, defaultTimeoutMs: 7 }).timeoutMs).toBe(7);
  });

  test("are taken from the ambient handler where the call has no signal of its own", () => {
    const ambient = ambientWith(handlerSignal());
    expect(boundsOf({}, { ...none, ambient }).timeoutMs).toBe(100);
    expect(boundsOf({}, { ...none, ambient: ambientWith(undefined) })).toEqual({});
  });

  test("are what is left to the handler whose scope is passed, with a signal or without", () => {
    const clock = new ManualClock();
    const { scope } = handlerContext(clock);
    clock.advance(40);
    expect(boundsOf({ scope }, none)).toEqual({ signal: undefined, timeoutMs: 60 });
    const { signal } = new AbortController();
    expect(boundsOf({ signal, scope, timeoutMs: 500 }, none)).toEqual({ signal, timeoutMs: 60 });
  });

  test("take the passed scope before that of the signal, and that before the ambient one", () => {
    const clock = new ManualClock();
    const own: CallScope = { agentId, runtime, deadline: deadlineAfter(10, clock), path: [], depth: 0 };
    const withSignal = withScope(new AbortController().signal, {
      agentId,
      runtime,
      deadline: deadlineAfter(20, clock),
      path: [],
      depth: 0,
    });
    const ambient = ambientWith(handlerSignal(clock));
    expect(boundsOf({ scope: own, signal: withSignal }, { ...none, ambient }).timeoutMs).toBe(10);
    expect(boundsOf({ signal: withSignal }, { ...none, ambient }).timeoutMs).toBe(20);
    expect(boundsOf({}, { ...none, ambient }).timeoutMs).toBe(100);
    expect(boundsOf({ signal: new AbortController().signal }, { ...none, ambient }).timeoutMs).toBeUndefined();
  });

  test("are not inherited by a signal that was combined, unless it was given the scope", () => {
    const clock = new ManualClock();
    const context = handlerContext(clock);
    const combined = AbortSignal.any([context.signal, new AbortController().signal]);
    expect(boundsOf({ signal: combined }, none)).toEqual({ signal: combined, timeoutMs: undefined });
    const signal = withScope(combined, context.scope);
    expect(boundsOf({ signal }, none)).toEqual({ signal, timeoutMs: 100 });
    expect(scopeOf(combined)).toBeUndefined();
    context.abort("enough");
    expect(signal.reason).toBe("enough");
  });
});

describe("a call that is over before it is sent", () => {
  test("is cancelled when its signal has aborted, timed out when there is no time left", () => {
    const aborted = AbortSignal.abort("enough");
    expect(errorBeforeSend({ signal: aborted }, "a/k")).toMatchObject({ code: "cancelled", cause: "enough" });
    expect(errorBeforeSend({ timeoutMs: 0 }, "a/k")).toBeInstanceOf(TimedOutError);
    expect(errorBeforeSend({ timeoutMs: 1, signal: new AbortController().signal }, "a/k")).toBeUndefined();
  });

  test("is timed out when it was made with the signal of a handler whose time is up", () => {
    const clock = new ManualClock();
    const signal = handlerSignal(clock);
    clock.advance(100);
    const error = errorBeforeSend({ signal }, "a/k");
    expect(error).toBeInstanceOf(TimedOutError);
    expect(error).not.toBeInstanceOf(CancelledError);
    expect(error?.cause).toBe(signal.reason);
  });
});

import { describe, expect, test } from "vitest";
import { CancelledError, TimedOutError } from "../../../../src/core/index.ts";
import { boundsOf, deadlineAfter, errorBeforeSend, HandlerContext } from "../../../../src/core/internal.ts";
import { ManualClock } from "../../../../src/testing/manual-clock.ts";

const none = { defaultTimeoutMs: undefined, ambient: undefined };

/** The signal of a handler whose caller waits for 100 ms more. */
function handlerSignal(clock = new ManualClock()): AbortSignal {
  const deadline = deadlineAfter(100, clock);
  return new HandlerContext({ sender: undefined, topicId: undefined, isRpc: true, messageId: "m", deadline }).signal;
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
    const { signal } = new AbortController();
    expect(boundsOf({ signal }, { ...none, ambient })).toEqual({ signal, timeoutMs: undefined });
    expect(boundsOf({}, { ...none, ambient: ambientWith(undefined) })).toEqual({});
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

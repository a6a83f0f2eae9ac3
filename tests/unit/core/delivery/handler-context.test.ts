import { expect, test } from "vitest";
import { HandlerContext } from "../../../../src/core/delivery/index.ts";

function contextOf(signal?: AbortSignal): HandlerContext {
  return new HandlerContext({ sender: undefined, topicId: undefined, isRpc: true, messageId: "m", signal });
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

test("the signal follows the one of the caller", () => {
  const caller = new AbortController();
  const { signal } = contextOf(caller.signal);
  expect(signal.aborted).toBe(false);
  caller.abort("enough");
  expect(signal.reason).toBe("enough");
  expect(contextOf(caller.signal).signal.reason).toBe("enough");
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

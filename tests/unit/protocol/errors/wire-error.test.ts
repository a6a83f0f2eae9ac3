import { describe, expect, test } from "vitest";
import {
  CancelledError,
  CantHandleException,
  HandlerError,
  InvalidToolArgumentsException,
  MessageDroppedException,
  NotAccessibleError,
  TimedOutError,
  ToolExecutionException,
  ToolNotFoundException,
  TroupeError,
  UndeliverableException,
} from "../../../../src/core/index.ts";
import { fromWireError, toWireError } from "../../../../src/protocol/internal.ts";

describe("errors on the wire", () => {
  const failure = { callId: "c1", content: "Error: it broke", toolName: "saw" };

  test.each([
    ["CantHandleException", new CantHandleException("a")],
    ["UndeliverableException", new UndeliverableException("b")],
    ["MessageDroppedException", new MessageDroppedException("c")],
    ["NotAccessibleError", new NotAccessibleError("d")],
    ["Cancelled", new CancelledError("e")],
    ["Timeout", new TimedOutError("f")],
    ["HandlerError", new HandlerError("g")],
    ["ToolNotFoundException", new ToolNotFoundException(failure)],
    ["InvalidToolArgumentsException", new InvalidToolArgumentsException(failure)],
    ["ToolExecutionException", new ToolExecutionException(failure)],
  ])("%s comes back as the same class with the same fields", (errorType, error) => {
    const wire = toWireError(error);
    expect(wire.metadata.agerrortype).toBe(errorType);
    expect(wire.error).toBe(error.message);
    const rebuilt = fromWireError(wire.error, wire.metadata);
    expect(rebuilt).toBeInstanceOf(error.constructor);
    expect(rebuilt).toMatchObject({ ...error, message: error.message });
  });

  test.each<[unknown, string]>([
    [new TypeError(""), "TypeError"],
    [new (class Odd extends Error {})(""), "Error"],
    ["", "Error"],
    [undefined, "undefined"],
    [Object.create(null), "Error"],
    [new Error("bad \ud800 text"), "bad \ufffd text"],
  ])("%s is never without text, and always text that UTF-8 holds", (thrown, text) => {
    const metadata = { agerrortype: "HandlerError", agerrorcode: "handler-failed" };
    expect(toWireError(thrown)).toEqual({ error: text, metadata });
  });

  test.each([
    "invalid-message",
    "message-too-large",
    "unexpected-answer",
    "invalid-argument",
    "not-found",
    "already-exists",
    "wrong-class",
    "wrong-state",
  ] as const)("the code %s is restored; a peer that does not know codes reads a failed handler", (code) => {
    const { error, metadata } = toWireError(new TroupeError(code, "x"));
    expect(metadata).toEqual({ agerrortype: "HandlerError", agerrorcode: code });
    expect(fromWireError(error, metadata)).toMatchObject({ name: "TroupeError", code, message: "x" });
    expect(fromWireError(error, { agerrortype: metadata.agerrortype ?? "" })).toBeInstanceOf(HandlerError);
  });

  test.each(["undeliverable", "disconnected", "shutting-down", "overloaded", "caller-gone"] as const)(
    "the code %s is restored, in the class that Troupe's first version knows",
    (code) => {
      const { error, metadata } = toWireError(new UndeliverableException("x", { code }));
      expect(metadata).toEqual({ agerrortype: "UndeliverableException", agerrorcode: code });
      const rebuilt = fromWireError(error, metadata);
      expect(rebuilt).toBeInstanceOf(UndeliverableException);
      expect(rebuilt).toMatchObject({ code });
    },
  );

  test("an unknown code falls back to the class, and without a known class to a failed handler", () => {
    const known = fromWireError("x", { agerrortype: "UndeliverableException", agerrorcode: "eaten-by-moths" });
    expect(known).toMatchObject({ name: "UndeliverableException", code: "undeliverable" });
    for (const agerrorcode of ["eaten-by-moths", "", "constructor", "__proto__"]) {
      expect(fromWireError("x", { agerrorcode })).toMatchObject({ name: "HandlerError", code: "handler-failed" });
    }
  });

  test("a stack is sent only on request, cut at its limit, and becomes the receiver's remoteStack", () => {
    const thrown = new RangeError("out of range");
    expect(toWireError(thrown).metadata).not.toHaveProperty("agerrorstack");
    const { error, metadata } = toWireError(thrown, { withStack: true });
    const rebuilt = fromWireError(error, metadata);
    expect(rebuilt).toMatchObject({ code: "handler-failed", remoteStack: thrown.stack });
    expect(fromWireError(error, {})).not.toHaveProperty("remoteStack");
    thrown.stack = "x".repeat(100_000);
    expect(toWireError(thrown, { withStack: true }).metadata.agerrorstack?.length).toBe(16 * 1024);
  });

  test.each(["", "Nonsense", "constructor", "__proto__", "toString"])(
    'the class name "%s" reads as a HandlerError',
    (agerrortype) => {
      const error = fromWireError("text", { agerrortype });
      expect(error).toBeInstanceOf(HandlerError);
      expect(error.message).toBe("text");
    },
  );
});

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
} from "../../../src/core/index.ts";
import { fromWireError, toWireError } from "../../../src/protocol/index.ts";

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
    expect(toWireError(thrown)).toEqual({ error: text, metadata: { agerrortype: "HandlerError" } });
  });

  test("any code that has no class of its own on the wire is the handler's failure", () => {
    expect(toWireError(new TroupeError("invalid-message", "x")).metadata.agerrortype).toBe("HandlerError");
    expect(toWireError(new UndeliverableException("x", { code: "shutting-down" })).metadata.agerrortype).toBe(
      "UndeliverableException",
    );
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

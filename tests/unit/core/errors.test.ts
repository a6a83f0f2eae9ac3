import { describe, expect, test } from "vitest";
import { errorText, HandlerError, TimedOutError, TroupeError } from "../../../src/core/internal.ts";

describe("TroupeError.from", () => {
  test("gives an error of Troupe's back as it is", () => {
    const error = new TimedOutError("late");
    expect(TroupeError.from(error)).toBe(error);
  });

  test.each<[unknown, string]>([
    [new RangeError("far out"), "far out"],
    [{ status: 429 }, '{"status":429}'],
    ["text", "text"],
    [undefined, "undefined"],
  ])("makes a handler's failure of anything else, with the cause and a text (%s)", (thrown, text) => {
    const error = TroupeError.from(thrown);
    expect(error).toBeInstanceOf(HandlerError);
    expect(error).toMatchObject({ code: "handler-failed", message: text });
    expect(error.cause).toBe(thrown);
  });
});

describe("the text of what was thrown", () => {
  const ring: { self?: unknown } = {};
  ring.self = ring;

  test.each<[string, unknown, string]>([
    ["fields", { status: 429, why: "too many" }, '{"status":429,"why":"too many"}'],
    ["a text of its own", { message: "no" }, "no"],
    ["a method of its own", { toString: () => "mine" }, "mine"],
    ["nothing in it", {}, "Object"],
    ["a ring", ring, "An object that can't be shown as text was thrown."],
    ["a list", [1, 2], "1,2"],
  ])("is that of an object with %s", (_what, thrown, text) => {
    expect(errorText(thrown)).toBe(text);
  });

  test("is cut where an object has much in it", () => {
    expect(errorText({ much: "x".repeat(100_000) }).length).toBe(1_001);
  });
});

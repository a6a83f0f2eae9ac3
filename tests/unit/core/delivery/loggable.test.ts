import { inspect } from "node:util";
import { expect, test, vi } from "vitest";
import { defaultLogger, loggableError, loggableText, TroupeError } from "../../../../src/core/internal.ts";

const quoting = () => new TroupeError("invalid-message", "Reply is no JSON", { cause: new SyntaxError("hunter2") });

test("an error with nothing to hide is logged as it is", () => {
  const error = new Error("boom", { cause: new AggregateError([new Error("one")], "several") });
  expect(loggableError(error)).toBe(error);
});

test.each<[string, unknown]>([
  ["itself", quoting()],
  ["its cause", new Error("outer", { cause: new Error("middle", { cause: quoting() }) })],
  ["one of several", new AggregateError([new Error("one"), quoting()], "several")],
])("an error loses the content that %s quotes, and keeps its texts and stack", (_where, error) => {
  const shown = inspect(loggableError(error), { depth: null });
  expect(shown).not.toContain("hunter2");
  expect(shown).toContain("Reply is no JSON");
  expect(shown).toContain("loggable.test.ts");
});

test("a chain that goes round ends", () => {
  const error = new Error("a");
  error.cause = new Error("b", { cause: error });
  expect(inspect(loggableError(error), { depth: null })).toContain("[cause]: Error: b");
});

test("texts have one line, no control characters, and an end", () => {
  expect(loggableText("a\nb\u001b[31m\u202e")).toBe("a\\nb\\u001b[31m\\u202e");
  expect(loggableText("x".repeat(2_000))).toBe(`${"x".repeat(1_000)}… (2000 characters)`);
  const error = new Error("a\n2030-01-01 error forged\u001b[2J");
  expect(inspect(loggableError(error))).toMatch(/^Error: a\\n2030-01-01 error forged\\u001b\[2J\n +at /);
});

test("the default logger shows an error's chain of causes", () => {
  const write = vi.spyOn(console, "error").mockImplementation(() => undefined);
  const error = new Error("a", { cause: new Error("b", { cause: new Error("c") }) });
  defaultLogger.error("failed", { agent: "writer/7", error });
  defaultLogger.error("failed", { agent: "writer/7" });
  expect(write.mock.calls).toEqual([
    ["failed", { agent: "writer/7" }, error],
    ["failed", { agent: "writer/7" }],
  ]);
  write.mockRestore();
});

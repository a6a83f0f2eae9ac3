import { Buffer } from "node:buffer";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { HandlerError, TroupeError } from "../../../../src/core/index.ts";
import { fromWireError, toWireError } from "../../../../src/protocol/internal.ts";

/** What a receiver reads of what was thrown. */
function through(thrown: unknown): HandlerError {
  const { error, metadata } = toWireError(thrown, { withDetail: true });
  const made = fromWireError(error, metadata, "writer/7");
  if (made instanceof HandlerError) return made;
  throw made;
}

function read(agerrordetail: string): HandlerError["remote"] {
  const made = fromWireError("boom", { agerrorcode: "handler-failed", agerrordetail });
  return made instanceof HandlerError ? made.remote : undefined;
}

describe("what a handler threw, on the wire", () => {
  test("an error tells its class, its code, its plain fields and its causes", () => {
    const deep = new TypeError("deep");
    const cause = Object.assign(new Error("refused", { cause: deep }), { code: "ECONNREFUSED" });
    const thrown = Object.assign(new RangeError("boom", { cause }), {
      code: 7,
      status: 429,
      retry: true,
      config: { key: "k" },
    });
    const error = through(thrown);
    expect(error.message).toBe("writer/7 failed: boom");
    expect(error.remote).toEqual({
      name: "RangeError",
      code: 7,
      detail: { status: 429, retry: true },
      causes: [
        { name: "Error", code: "ECONNREFUSED", message: "refused" },
        { name: "TypeError", code: undefined, message: "deep" },
      ],
    });
  });

  test.each<[string, unknown, string, object]>([
    ["an object", { status: 429 }, '{"status":429}', { name: "Object", detail: { status: 429 } }],
    [
      "an object with a text",
      { message: "no", at: new Date(0) },
      "no",
      { detail: { message: "no", at: "1970-01-01T00:00:00.000Z" } },
    ],
    ["a text", "just text", "just text", { name: "string", detail: {} }],
    ["nothing", undefined, "undefined", { name: "undefined", detail: {} }],
  ])("%s that was thrown keeps its sense", (_what, thrown, text, remote) => {
    const error = through(thrown);
    expect(error.message).toBe(`writer/7 failed: ${text}`);
    expect(error.remote).toMatchObject(remote);
  });

  test("a thrown object keeps the text that stock callers always got", () => {
    expect(toWireError({ status: 429 }, { withDetail: true }).error).toBe("[object Object]");
    expect(toWireError({ message: "no" }).error).toBe("[object Object]");
  });

  test("the cause of an error about a message's content stays at home", () => {
    const quoting = new TroupeError("invalid-message", "no JSON", { cause: new SyntaxError("hunter2") });
    expect(through(new Error("outer", { cause: quoting })).remote?.causes).toHaveLength(1);
  });

  test("only failures of handlers tell it", () => {
    expect(toWireError(new TroupeError("wrong-state", "x"), { withDetail: true }).metadata).not.toHaveProperty(
      "agerrordetail",
    );
  });

  test("a ring, a getter that throws and a proxy of any kind do no harm", () => {
    const ring: { self?: unknown } = {};
    ring.self = ring;
    const trap = {
      get status(): number {
        throw new Error("trap");
      },
    };
    const proxy = new Proxy(
      {},
      {
        ownKeys: () => {
          throw new Error("trap");
        },
      },
    );
    for (const thrown of [ring, trap, proxy]) expect(through(thrown).remote).toBeDefined();
  });

  test("it never has more than 16 KiB, and is JSON however it was cut", () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.anything()),
        fc.string({ unit: "binary", maxLength: 2_000 }),
        (fields, text) => {
          let cause: Error | undefined;
          for (let depth = 0; depth < 12; depth += 1) cause = new Error(text.repeat(depth), { cause });
          const many = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`${index}`, text.repeat(4)]));
          for (const thrown of [fields, { ...many, ...fields }, Object.assign(new Error(text, { cause }), many)]) {
            const json = toWireError(thrown, { withDetail: true }).metadata.agerrordetail ?? "";
            expect(Buffer.byteLength(json)).toBeLessThanOrEqual(16 * 1024);
            expect(JSON.parse(json)).toHaveProperty("causes");
          }
        },
      ),
      { numRuns: 50 },
    );
  });
});

describe("what a peer says was thrown", () => {
  test.each([
    ["no JSON", "{"],
    ["no object", "[]"],
    ["nothing", "null"],
    ["without a name", '{"detail":{}}'],
    ["a name that is no text", '{"name":7}'],
    ["too long", JSON.stringify({ name: "x".repeat(20_000) })],
    ["only brackets", "[".repeat(16_000)],
  ])("%s is passed by", (_what, json) => {
    expect(read(json)).toBeUndefined();
  });

  test("what is not of the form is left out of the rest", () => {
    expect(read('{"name":"E","code":{},"detail":7,"causes":[{"name":"C","message":"m"},{"name":1},null]}')).toEqual({
      name: "E",
      code: undefined,
      detail: {},
      causes: [{ name: "C", code: undefined, message: "m" }],
    });
  });

  test("depth and number are bounded, and no prototype is touched", () => {
    const deep = `{"name":"E","detail":{"__proto__":{"polluted":1},"deep":${'{"a":'.repeat(2_000)}1${"}".repeat(2_000)}}}`;
    const remote = read(deep);
    expect(remote?.detail).toEqual({ deep: { a: { a: { a: {} } } } });
    expect(Object.getPrototypeOf(remote?.detail)).toBe(Object.prototype);
    const causes = Array.from({ length: 100 }, () => ({ name: "C", message: "m" }));
    expect(read(JSON.stringify({ name: "E", causes }))?.causes).toHaveLength(8);
  });

  test("any text at all is read without harm", () => {
    fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (json) => void read(json)));
  });
});

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { nameInPath } from "../../../src/core/internal.ts";
import { pathMetadata, pathOf } from "../../../src/protocol/internal.ts";

describe("the path of a call", () => {
  test("is written as tokens, types and keys, with %, comma and @ escaped", () => {
    const path = [
      { token: "h1-7", type: "account", key: "ada" },
      { token: "e,1", type: "b", key: "50%@x/y" },
    ];
    expect(pathMetadata(path)).toEqual({ agpath: "h1-7@account/ada,e%2C1@b/50%25%40x/y" });
    expect(pathMetadata([])).toBeUndefined();
  });

  test("is read as it was written", () => {
    const turn = fc.record({
      token: fc.string({ minLength: 1 }),
      type: fc.stringMatching(/^[\w.-]+$/),
      key: fc.string(),
    });
    fc.assert(
      fc.property(fc.array(turn, { minLength: 1, maxLength: 32 }), (path) => {
        expect(pathOf(pathMetadata(path) ?? {})).toEqual(path);
      }),
    );
  });

  test.each([
    ["no key", {}],
    ["an empty text", { agpath: "" }],
    ["a turn without a token", { agpath: "@a/k" }],
    ["a turn without a type", { agpath: "1@/k" }],
    ["one wrong turn among others", { agpath: "1@a/k,x,2@b/k" }],
    ["33 turns", { agpath: Array.from({ length: 33 }, (_, at) => `${at}@a/k`).join() }],
    ["too many characters", { agpath: `1@a/${"k".repeat(8 * 1024)}` }],
  ])("is empty for %s", (_what, metadata) => {
    expect(pathOf(metadata)).toEqual([]);
  });

  test("that is too long is refused", () => {
    const path = [{ token: "1", type: "a", key: "k".repeat(8 * 1024) }];
    expect(() => pathMetadata(path)).toThrow(expect.objectContaining({ code: "loop-detected" }));
  });

  test("has a name of 64 characters as it is, and a longer one cut, with a hash that keeps two apart", () => {
    const long = (end: string) => `${"k".repeat(64)}${end}`;
    expect(nameInPath("k".repeat(64))).toBe("k".repeat(64));
    expect(nameInPath(long("1"))).toMatch(/^k{48}~[0-9a-f]{8}$/);
    expect(nameInPath(long("1"))).not.toBe(nameInPath(long("2")));
  });
});

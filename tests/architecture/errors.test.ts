import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");

/** The members of the type `ErrorCode`, as they are written. */
function errorCodes(): string[] {
  const [, members = ""] = /export type ErrorCode =([^;]*);/.exec(read("src/core/errors.ts")) ?? [];
  return [...members.matchAll(/"([a-z-]+)"/g)].map(([, code = ""]) => code);
}

/** The codes in the first column of the guide's tables. */
function codesInGuide(): string[] {
  const firstCells = [...read("docs/guide/errors.md").matchAll(/^\| (`[^|]*) \|/gm)].map(([, cell = ""]) => cell);
  return firstCells.flatMap((cell) => [...cell.matchAll(/`([a-z-]+)`/g)].map(([, code = ""]) => code));
}

test("the guide has a row for every error code, and for no other", () => {
  expect(errorCodes().length).toBeGreaterThan(20);
  expect([...new Set(codesInGuide())].sort()).toEqual(errorCodes().sort());
});

test("the comment on error codes explains each of them", () => {
  const [, comment = ""] = /\/\*\*([^/]*)\*\/\nexport type ErrorCode/.exec(read("src/core/errors.ts")) ?? [];
  for (const code of errorCodes()) expect(comment).toContain(`\`${code}\``);
});

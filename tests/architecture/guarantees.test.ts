import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { testTitles } from "../support/test-titles.ts";

const root = resolve(import.meta.dirname, "../..");
const page = readFileSync(join(root, "docs/guarantees.md"), "utf8");
const promises = page.split(/\r?\n/).filter((line) => line.startsWith("| ") && !line.startsWith("| promise |"));
// Not links: the package contains the page, and not the tests.
const reference = /`(tests\/[^`]+)`((?:,? "[^"]+")+)/g;

/** The tests that a promise's last column names: paths of files, each followed by parts of titles. */
function testsNamed(line: string): { readonly file: string; readonly title: string }[] {
  const cell = line.split(" | ").at(-1) ?? "";
  return [...cell.matchAll(reference)].flatMap(([, file = "", titles = ""]) =>
    [...titles.matchAll(/"([^"]+)"/g)].map(([, title = ""]) => ({ file, title })),
  );
}

/** Files of the contract suite run because the suite calls on them. */
function isRun(file: string): boolean {
  if (file.endsWith(".test.ts")) return true;
  const runs = file.startsWith("tests/contract/gateway/") ? "gateway.test.ts" : "agent-runtime.ts";
  const suite = readFileSync(join(root, "tests/contract", runs), "utf8");
  return suite.includes(`"./${file.replace("tests/contract/", "")}"`);
}

describe("docs/guarantees.md", () => {
  test.each(promises)("names tests that run for: %s", (line) => {
    const named = testsNamed(line);
    expect(
      named,
      "each promise ends with paths of test files in backquotes, each with parts of test titles",
    ).not.toEqual([]);
    for (const { file, title } of named) {
      expect(isRun(file), `${file} is run`).toBe(true);
      const titles = testTitles(file, readFileSync(join(root, file), "utf8"));
      expect(
        titles.some((one) => one.includes(title)),
        `${file} has a test whose title has "${title}"`,
      ).toBe(true);
    }
  });

  test("would miss a title that is only mentioned, or whose test is skipped", () => {
    const text =
      'const s = "a b"; test.skip("c d", f); describe.skip("e", () => { it("f g", f); }); it.each([1])("h i", f);';
    expect(testTitles("x.ts", text)).toEqual(["h i"]);
  });
});

import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";

const root = resolve(import.meta.dirname, "../..");
const page = readFileSync(join(root, "docs/guarantees.md"), "utf8");
const promises = page.split(/\r?\n/).filter((line) => line.startsWith("| ") && !line.startsWith("| promise |"));
const reference = /\[[^\]]+\]\(\.\.\/(tests\/[^)]+)\) "([^"]+)" \|$/;

describe("docs/guarantees.md", () => {
  test.each(promises)("names a test for: %s", (line) => {
    const [, file, title] = reference.exec(line) ?? [];
    expect(file, "each promise ends with a link to a test file and the beginning of a test's title").toBeDefined();
    expect(readFileSync(join(root, file ?? ""), "utf8")).toMatch(titleThatHas(title ?? ""));
  });
});

/** A quoted text that contains the words, which stand in the file on one line. */
function titleThatHas(words: string): RegExp {
  return new RegExp(`(["'\`])(?:(?!\\1).)*${words.replace(/[.*+?^${}()|[\]\\]/gu, "\\$&")}`, "u");
}

import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
// biome-ignore-start lint/correctness/useImportExtensions: the linter would have a further .mts added after .mjs
import {
  type ExportedName,
  findCitations,
  findUndocumented,
  findUnnamed,
  type PublicApi,
} from "../../../tools/api/comment-rules.mjs";
import { compareReport, updateReport } from "../../../tools/api/report.mjs";

// biome-ignore-end lint/correctness/useImportExtensions: the linter would have a further .mts added after .mjs

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

function emptyFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "troupe-api-"));
  folders.push(folder);
  return folder;
}

const clock = { name: "Clock", text: "interface Clock {\n  now(): number;\n}" };
const clockWithTimers = { name: "Clock", text: "interface Clock {\n  now(): number;\n  setTimer(): void;\n}" };
const word = { name: "word", text: 'const word = "x";' };
const troupe = (...exports: { readonly name: string; readonly text: string }[]) => [{ name: "troupe/core", exports }];

describe("the report of the public API", () => {
  test("agrees with what it was written from", () => {
    const folder = emptyFolder();
    updateReport(troupe(clock, word), folder);
    expect(readdirSync(folder)).toEqual(["troupe-core.md"]);
    expect(compareReport(troupe(clock, word), folder)).toEqual([]);
  });

  test("shows a changed member under its declaration, a name that went and one that came", () => {
    const folder = emptyFolder();
    updateReport(troupe(clock, word), folder);
    expect(compareReport(troupe(clockWithTimers, word), folder)).toEqual([
      "docs/api/troupe-core.md",
      "  interface Clock {",
      "+   setTimer(): void;",
    ]);
    expect(compareReport(troupe(clock), folder)).toEqual(["docs/api/troupe-core.md", '- const word = "x";']);
    updateReport(troupe(clock), folder);
    expect(compareReport(troupe(clock, word), folder)).toEqual(["docs/api/troupe-core.md", '+ const word = "x";']);
  });

  test("shows the page of an entry point that is gone, and an update removes it", () => {
    const folder = emptyFolder();
    updateReport(troupe(word), folder);
    expect(compareReport([], folder)).toContain('- const word = "x";');
    updateReport([], folder);
    expect(readdirSync(folder)).toEqual([]);
  });
});

/** A room on no list of exceptions. */
const source = "src/cli/a.ts";
const named = (name: string, rest: Partial<ExportedName> = {}): ExportedName => ({
  name,
  source,
  isDocumented: true,
  mentions: [],
  ...rest,
});
const apiOf = (exports: readonly ExportedName[], text = ""): PublicApi => ({
  entryPoints: [{ name: "troupe/cli", exports }],
  declarations: new Map([[source, text]]),
});

describe("the rules for public declarations", () => {
  test.each(["as protocol.md says", "as §5.10 says", "(W21)", "(H6, H7)"])("find the citation in: %s", (text) => {
    const problems = findCitations(apiOf([], `/** A clock ${text}. */\nexport declare const clock: Clock;`));
    expect(problems).toEqual([`${source}: /** A clock ${text}. */`]);
  });

  test("find none in // comments, in the code, nor in W3C, HTTP/2 or the section of an RFC", () => {
    const text = "// protocol.md §5\n/** W3C over HTTP/2 (RFC 9113 §6.5.2). */\nexport declare const W21: string;";
    expect(findCitations(apiOf([], text))).toEqual([]);
  });

  test("find the name without a comment", () => {
    const problems = findUndocumented(apiOf([named("a"), named("b", { isDocumented: false })]));
    expect(problems).toEqual([`${source}: b of troupe/cli`]);
  });

  test("find the mentioned type that no entry point exports, but not what the compiler writes out", () => {
    const mentions = [
      { name: "a", source, isInlined: false },
      { name: "Hidden", source, isInlined: false },
      { name: "Alias", source, isInlined: true },
    ];
    const problems = findUnnamed(apiOf([named("a"), named("b", { mentions })]));
    expect(problems).toEqual([`troupe/cli: b mentions ${source} Hidden`]);
  });
});

import { describe, expect, test } from "vitest";
// biome-ignore lint/correctness/useImportExtensions: the linter would have a further .mts added after .mjs
import { lint } from "../../../tools/prose/lint.mjs";

const whats = (source: string, name = "file.ts") => lint(name, source).map(({ what }) => what);

describe("the prose linter", () => {
  test.each([
    ["a banned construction", "/** The options that can't be meant. */", '"can\'t be meant"'],
    ["a doc comment that begins with a question word", "/** What the host knows of a call. */", '"What"'],
    ["a replaced word", "/** The agent waits on a shelf. */", '"shelf"'],
    ["a citation in a doc comment", "/** Sends the frame (protocol.md §3.1). */", '"protocol.md"'],
    ["an unknown word", "/** Sends the mesage. */", 'unknown word "mesage"'],
    ["a line comment", "// Whoever calls gets an answer.", '"Whoever"'],
    ["an error text", 'throw new Error("Whoever sends this must stop");', '"Whoever"'],
    ["an error text with values", "throw new Error(`The $" + "{one} can't be meant here`);", '"can\'t be meant"'],
  ])("finds %s", (_kind, source, found) => {
    expect(whats(`${source}\nexport const one = 1;\n`)).toEqual([expect.stringContaining(found)]);
  });

  test("finds a sentence of more than 25 words, with its line in the file", () => {
    const sentence = `The host ${"and the worker ".repeat(9)}stop.`;
    const source = `const one = 1;\n\n/**\n * The first sentence is short.\n * ${sentence}\n */\nexport const two = 2;\n`;
    expect(lint("file.ts", source)).toEqual([
      { name: "file.ts", line: 5, what: expect.stringMatching(/^a sentence of 30 words/) },
    ]);
  });

  test("finds a breach in the table of a page", () => {
    expect(lint("page.md", "| what |\n|---|\n| it waits for ever |\n")).toEqual([
      { name: "page.md", line: 3, what: expect.stringContaining('"for ever"') },
    ]);
  });

  test("leaves the titles of tests alone that a page quotes behind the path of their file", () => {
    const titles = '`tests/host.test.ts` "a worker waits for ever"';
    expect(whats(`| promise | checked by |\n|---|---|\n| it ends | ${titles} |\n`, "page.md")).toEqual([]);
    expect(whats(`It waits for ever. ${titles}\n`, "page.md")).toEqual([expect.stringContaining('"for ever"')]);
  });

  test("counts the words between the arrows and semicolons of a specification", () => {
    const part = `the host ${"and the worker ".repeat(5)}stop`;
    expect(whats(`${part} → ${part}; ${part}.\n`, "docs/protocol.md")).toEqual([]);
    expect(whats(`${part} → ${part}; ${part}.\n`, "page.md")).toEqual([expect.stringContaining("a sentence of")]);
    expect(whats(`${part}, ${part}.\n`, "docs/protocol.md")).toEqual([expect.stringContaining("a sentence of")]);
  });

  test("leaves code, names, examples, directives and citations in line comments alone", () => {
    const source = [
      "// protocol.md §3.1, W7",
      "/**",
      " * Returns `whoever()` of a MessageTypeKey.",
      " *",
      " * @example",
      " * ```ts",
      " * const shelf = whoever();",
      " * ```",
      " */",
      "// biome-ignore lint/suspicious/noConsole: whoever",
      'export const whoever = "whoever";',
      "",
    ];
    expect(whats(source.join("\n"))).toEqual([]);
  });
});

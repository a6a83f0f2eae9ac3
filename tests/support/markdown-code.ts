/** A fenced block of a Markdown page. */
export interface CodeBlock {
  /** What stands after the fence: `ts`, `ts alone`, `python`. */
  readonly language: string;
  readonly code: string;
  /** Of the block's first line of code, from 1. */
  readonly line: number;
  /** The example's file that the page says it shows: `<!-- from examples/… -->` on the line before the fence. */
  readonly quotes: string | undefined;
}

/** All fenced blocks of a page, in their order. */
export function codeBlocks(markdown: string): CodeBlock[] {
  const blocks: CodeBlock[] = [];
  const lines = markdown.split("\n");
  for (let at = 0; at < lines.length; at++) {
    const fence = /^```(\S.*)$/.exec(lines[at] ?? "");
    if (fence === null) continue;
    const end = lines.indexOf("```", at + 1);
    const quotes = /^<!-- from (\S+) -->$/.exec(lines[at - 1] ?? "")?.[1];
    blocks.push({ language: fence[1] ?? "", code: lines.slice(at + 1, end).join("\n"), line: at + 2, quotes });
    at = end;
  }
  return blocks;
}

/**
 * A page's TypeScript as modules: all its `ts` blocks are one, read from top to bottom; a `ts alone` block is one of
 * its own. Lines keep their numbers, so that the compiler's errors point into the page.
 */
export function modulesOf(page: string, markdown: string): Map<string, string> {
  const modules = new Map<string, string>();
  const together = codeBlocks(markdown).filter((block) => block.language === "ts");
  if (together.length > 0) modules.set(`${page}.ts`, atTheirLines(together));
  for (const block of codeBlocks(markdown).filter((block) => block.language === "ts alone")) {
    modules.set(`${page}.${block.line}.ts`, atTheirLines([block]));
  }
  return modules;
}

function atTheirLines(blocks: readonly CodeBlock[]): string {
  const lines: string[] = [];
  for (const { code, line } of blocks) {
    while (lines.length < line - 1) lines.push("");
    lines.push(...code.split("\n"));
  }
  return lines.join("\n");
}

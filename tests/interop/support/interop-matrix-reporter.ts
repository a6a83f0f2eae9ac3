import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Reporter, TestModule, Vitest } from "vitest/node";
import { columns, type MatrixCell, renderMatrix, rowNames } from "./matrix.ts";

const document = fileURLToPath(new URL("../../../docs/protocol.md", import.meta.url));
const begin = "<!-- interop matrix: written by `npm run test:interop -- --update` -->\n";
const end = "\n<!-- end of interop matrix -->";

/**
 * Prints the interop matrix that a run has proven, and fails the run when docs/protocol.md §10 says something else.
 * `npm run test:interop -- --update` writes it there. A run of some of the tests prints what it has and checks nothing.
 */
export class InteropMatrixReporter implements Reporter {
  #updates = false;

  onInit(vitest: Vitest): void {
    this.#updates = vitest.config.snapshotOptions.updateSnapshot === "all";
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    const cells = modules.flatMap((module) => provenCells(module));
    if (cells.length === 0) return;
    const proven = renderMatrix(cells);
    console.log(`\nInterop matrix\n${proven}\n`);
    if (cells.length < rowNames().length * columns.length) return;
    const text = readFileSync(document, "utf8");
    const from = text.indexOf(begin) + begin.length;
    const to = text.indexOf(end);
    if (from < begin.length || to < from)
      return fail(`${document} has no place for the interop matrix: "${begin.trim()}"`);
    const kept = text.slice(from, to);
    if (kept === proven) return;
    if (this.#updates) {
      writeFileSync(document, text.slice(0, from) + proven + text.slice(to));
      console.log("docs/protocol.md §10 has been updated.");
    } else {
      fail(`docs/protocol.md §10 differs from what was proven:\n${difference(kept, proven)}`);
    }
  }
}

function provenCells(module: TestModule): readonly MatrixCell[] {
  return [...module.children.allTests("passed")].flatMap((test) => test.meta().matrixCell ?? []);
}

function difference(kept: string, proven: string): string {
  const [before, after] = [kept.split("\n"), proven.split("\n")];
  const gone = before.filter((line) => !after.includes(line)).map((line) => `- ${line}`);
  const come = after.filter((line) => !before.includes(line)).map((line) => `+ ${line}`);
  return [...gone, ...come, "To keep what was proven: npm run test:interop -- --update"].join("\n");
}

function fail(text: string): void {
  console.error(text);
  process.exitCode = 1;
}

import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Reporter, TestCase, TestModule, Vitest } from "vitest/node";
import { keptTable, tableIn, withTable } from "./kept-table.ts";
import { columns, renderMatrix, rowNames } from "./matrix.ts";
import { renderDifferences } from "./situation.ts";

const document = fileURLToPath(new URL("../../../docs/protocol.md", import.meta.url));

/**
 * Prints what a run has proven: the interop matrix, and where AutoGen's host and ours differ. Fails the run when
 * docs/protocol.md §10 says something else; `npm run test:interop -- --update` writes it there. A run of some of the
 * tests prints what it has and checks nothing.
 */
export class InteropMatrixReporter implements Reporter {
  #updates = false;

  onInit(vitest: Vitest): void {
    this.#updates = vitest.config.snapshotOptions.updateSnapshot === "all";
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    const inOrder = [...modules].sort((a, b) => (a.moduleId < b.moduleId ? -1 : 1));
    this.#tellMatrix(inOrder);
    this.#tellDifferences(inOrder.filter(({ moduleId }) => moduleId.endsWith("-gone-wrong.test.ts")));
  }

  #tellMatrix(modules: readonly TestModule[]): void {
    const cells = passed(modules).flatMap((test) => test.meta().matrixCell ?? []);
    if (cells.length === 0) return;
    this.#tell("interop matrix", renderMatrix(cells), cells.length === rowNames().length * columns.length);
  }

  #tellDifferences(modules: readonly TestModule[]): void {
    const differences = passed(modules).flatMap((test) => test.meta().difference ?? []);
    if (differences.length === 0) return;
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    this.#tell("differences", renderDifferences(differences), modules.length === 2 && tests.every(hasPassed));
  }

  #tell(name: string, proven: string, isWhole: boolean): void {
    console.log(`\nWhat was proven, ${name}:\n${proven}\n`);
    if (!isWhole) return;
    const text = readFileSync(document, "utf8");
    const kept = tableIn(text, name);
    if (kept === proven) return;
    if (kept !== undefined && this.#updates) {
      writeFileSync(document, withTable(text, name, proven));
      console.log(`docs/protocol.md §10, ${name}, has been updated.`);
      return;
    }
    console.error(`docs/protocol.md §10 differs from what was proven. ${difference(kept ?? keptTable(name), proven)}`);
    process.exitCode = 1;
  }
}

function passed(modules: readonly TestModule[]): readonly TestCase[] {
  return modules.flatMap((module) => [...module.children.allTests("passed")]);
}

function hasPassed(test: TestCase): boolean {
  return test.result().state === "passed";
}

function difference(kept: string, proven: string): string {
  const [before, after] = [kept.split("\n"), proven.split("\n")];
  const gone = before.filter((line) => !after.includes(line)).map((line) => `- ${line}`);
  const come = after.filter((line) => !before.includes(line)).map((line) => `+ ${line}`);
  return ["To keep what was proven: npm run test:interop -- --update", ...gone, ...come].join("\n");
}

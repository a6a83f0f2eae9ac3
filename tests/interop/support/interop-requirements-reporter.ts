import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Reporter, TestModule, Vitest } from "vitest/node";
import { allRequirements, idsIn } from "../../conformance/requirements.ts";

const folder = fileURLToPath(new URL("..", import.meta.url));

/** Fails a whole run of interop in which a statement of protocol.md §8 that is left to it had no test that passed. */
export class InteropRequirementsReporter implements Reporter {
  #isNarrowed = false;

  onInit(vitest: Vitest): void {
    this.#isNarrowed = vitest.config.testNamePattern !== undefined;
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    if (this.#isNarrowed || modules.length < testFileCount()) return;
    const passed = modules.flatMap((module) => [...module.children.allTests("passed")]);
    const proven = new Set(passed.flatMap(({ fullName }) => idsIn(fullName)));
    const missing = allRequirements.filter(({ id, provenBy }) => provenBy === "interop" && !proven.has(id));
    for (const { id, statement } of missing) {
      console.error(`§8.${id} is left to the interop tests, and none has proven it: ${statement}`);
    }
    if (missing.length > 0) process.exitCode = 1;
  }
}

function testFileCount(): number {
  return readdirSync(folder, { recursive: true }).filter((path) => String(path).endsWith(".test.ts")).length;
}

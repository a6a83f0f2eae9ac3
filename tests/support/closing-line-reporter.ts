import type { Reporter, TestModule, TestRunEndReason } from "vitest/node";

/** Characters of an error that a line shows. */
const shownError = 300;

/** Ends a run with each skipped test and its reason and each failed one with its error, then `N passed, N failed, N skipped` alone on a line. */
export class ClosingLineReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[], reason: TestRunEndReason): void {
    let passed = 0;
    let failed = errors.length;
    const skipped: string[] = [];
    const failures: string[] = [];
    for (const module of modules) {
      // A file or a suite that fails outside of its tests is a failure of its own.
      failed += module.errors().length;
      for (const suite of module.children.allSuites()) failed += suite.errors().length;
      for (const test of module.children.allTests()) {
        const result = test.result();
        if (result.state === "passed") passed++;
        else if (result.state === "skipped") {
          const why = result.note ?? "no reason given";
          skipped.push(`skipped: ${module.relativeModuleId} > ${test.fullName}: ${why}`);
        } else {
          failed++;
          const [first = ""] = (result.errors?.[0]?.message ?? "").split("\n");
          failures.push(`FAILED  ${module.relativeModuleId} > ${test.fullName}: ${first.slice(0, shownError)}`);
        }
      }
    }
    if (reason === "failed" && failed === 0) failed = 1;
    for (const line of [...skipped, ...failures]) console.log(line);
    console.log(`${passed} passed, ${failed} failed, ${skipped.length} skipped`);
  }
}

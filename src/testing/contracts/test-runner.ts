import { assertArgument, assertFunction, assertText, withMethods } from "../../core/internal.ts";

/** `describe` and `it` of the test runner: vitest, jest and node:test fit. */
export interface TestRunner {
  readonly describe: (name: string, body: () => void) => unknown;
  readonly it: (name: string, body: () => Promise<void>) => unknown;
}

/** The kind of a test runner. */
export const runnerKind = withMethods("a test runner, { describe, it },", "describe", "it");

/** Checks the arguments of a contract suite. */
export function assertSuite(name: unknown, open: unknown, runner: unknown): void {
  assertText(name, "The name of the adapter");
  assertFunction(open, "What opens the adapter");
  assertArgument(runner, "The runner", runnerKind);
}

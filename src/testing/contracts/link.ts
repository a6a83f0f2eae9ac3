import { assertArgument, assertFunction, assertText, withMethods } from "../../core/internal.ts";
import { connectionCases } from "./link/connection-cases.ts";
import { type LinkNetwork, type LinkNetworkOptions, runLinkCase } from "./link/contract-case.ts";
import { endingCases } from "./link/ending-cases.ts";
import { flowCases } from "./link/flow-cases.ts";
import { streamCases } from "./link/stream-cases.ts";
import { unaryCases } from "./link/unary-cases.ts";

export type { LinkNetwork, LinkNetworkOptions } from "./link/contract-case.ts";
export type { StreamEvent } from "./link/stream-recorder.ts";
export { StreamRecorder } from "./link/stream-recorder.ts";

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

/**
 * Registers the contract suite of `Link`, `Dialer` and `Listener`; every adapter must pass it. The suite listens on
 * 127.0.0.1 only.
 *
 * @example
 * ```ts
 * describeLink("my network", (options) => createMyNetwork(options), { describe, it });
 * ```
 */
export function describeLink(
  name: string,
  makeNetwork: (options: LinkNetworkOptions) => LinkNetwork,
  runner: TestRunner,
): void {
  assertSuite(name, makeNetwork, runner);
  const groups = {
    "unary calls": unaryCases,
    streams: streamCases,
    endings: endingCases,
    flow: flowCases,
    connections: connectionCases,
  };
  for (const [group, cases] of Object.entries(groups)) {
    runner.describe(`${name}: ${group}`, () => {
      for (const { promise, tryIt } of cases) runner.it(promise, () => runLinkCase(tryIt, makeNetwork));
    });
  }
}

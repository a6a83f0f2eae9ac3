import { connectionCases } from "./link/connection-cases.ts";
import { type LinkNetwork, type LinkNetworkOptions, runLinkCase } from "./link/contract-case.ts";
import { endingCases } from "./link/ending-cases.ts";
import { flowCases } from "./link/flow-cases.ts";
import { streamCases } from "./link/stream-cases.ts";
import { unaryCases } from "./link/unary-cases.ts";
import { assertSuite, type TestRunner } from "./test-runner.ts";

export type { LinkNetwork, LinkNetworkOptions } from "./link/contract-case.ts";
export { StreamRecorder } from "./link/stream-recorder.ts";

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

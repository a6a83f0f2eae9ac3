import { connectionCases } from "./link/connection-cases.ts";
import { type LinkNetwork, type LinkNetworkOptions, runLinkCase } from "./link/contract-case.ts";
import { endingCases } from "./link/ending-cases.ts";
import { flowCases } from "./link/flow-cases.ts";
import { streamCases } from "./link/stream-cases.ts";
import { unaryCases } from "./link/unary-cases.ts";

export type { LinkNetwork, LinkNetworkOptions } from "./link/contract-case.ts";
export type { StreamEvent } from "./link/stream-recorder.ts";
export { StreamRecorder } from "./link/stream-recorder.ts";

/** `describe` and `it` of the test runner in use; vitest's, jest's and node:test's all fit. */
export interface TestRunner {
  readonly describe: (name: string, body: () => void) => unknown;
  readonly it: (name: string, body: () => Promise<void>) => unknown;
}

/**
 * The promises of `Link`, `Dialer` and `Listener` (src/transport/link.ts), as tests. An adapter passes all of them:
 * `describeLink("my network", (options) => createMyNetwork(options), { describe, it })`. Listens on 127.0.0.1 only.
 */
export function describeLink(
  name: string,
  makeNetwork: (options: LinkNetworkOptions) => LinkNetwork,
  runner: TestRunner,
): void {
  const rooms = {
    "unary calls": unaryCases,
    streams: streamCases,
    endings: endingCases,
    flow: flowCases,
    connections: connectionCases,
  };
  for (const [room, cases] of Object.entries(rooms)) {
    runner.describe(`${name}: ${room}`, () => {
      for (const { promise, tryIt } of cases) runner.it(promise, () => runLinkCase(tryIt, makeNetwork));
    });
  }
}

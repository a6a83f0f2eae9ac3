import { assertArgument, assertText, withMethods } from "../../core/internal.ts";
import { type CoordinationAdapter, CoordinationLab } from "./coordination-store/coordination-case.ts";
import { lossCases } from "./coordination-store/loss-cases.ts";
import { watchCases } from "./coordination-store/watch-cases.ts";
import { writeCases } from "./coordination-store/write-cases.ts";
import { runnerKind, type TestRunner } from "./test-runner.ts";

export type {
  CoordinationAdapter,
  CoordinationFaults,
  TestedCoordinationOptions,
} from "./coordination-store/coordination-case.ts";

/**
 * Registers the contract suite of `CoordinationStore`; every adapter must pass all of it.
 *
 * @example
 * ```ts
 * describeCoordinationStore(
 *   "my store",
 *   {
 *     create: () => openMyStore(newServer()),
 *     another: (store) => openMyStore(serverOf(store)),
 *   },
 *   { describe, it },
 * );
 * ```
 */
export function describeCoordinationStore(name: string, adapter: CoordinationAdapter, runner: TestRunner): void {
  assertText(name, "The name of the adapter");
  assertArgument(adapter, "The adapter", withMethods("a coordination store under test,", "create", "another"));
  assertArgument(runner, "The runner", runnerKind);
  const groups = {
    "writes and reads": writeCases,
    "watches, announcements, ends": watchCases,
    losses: lossCases(adapter.faults ?? {}),
  };
  for (const [group, cases] of Object.entries(groups)) {
    if (cases.length === 0) continue;
    runner.describe(`${name}: ${group} of a coordination store`, () => {
      for (const { promise, tryIt } of cases) {
        runner.it(promise, async () => {
          const lab = new CoordinationLab(adapter);
          try {
            await tryIt(lab);
          } finally {
            await lab.close();
          }
        });
      }
    });
  }
}

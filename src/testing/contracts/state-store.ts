import { assertArgument, assertText, withMethods } from "../../core/internal.ts";
import { effectCases } from "./state-store/effect-cases.ts";
import { faultCases } from "./state-store/fault-cases.ts";
import { groupCases } from "./state-store/group-cases.ts";
import { listCases } from "./state-store/list-cases.ts";
import { logCases } from "./state-store/log-cases.ts";
import { openingCases } from "./state-store/opening-cases.ts";
import { pageCases } from "./state-store/page-cases.ts";
import { recordCases } from "./state-store/record-cases.ts";
import { runCases } from "./state-store/run-cases.ts";
import { type StateStoreAdapter, StoreLab } from "./state-store/store-case.ts";
import { runnerKind, type TestRunner } from "./test-runner.ts";

export type { BreakStore, StateStoreAdapter, StoreFaults, TestedStoreOptions } from "./state-store/store-case.ts";

/**
 * Registers the contract suite of `StateStore`; every adapter must pass all of it.
 *
 * @example
 * ```ts
 * describeStateStore(
 *   "my database",
 *   {
 *     create: ({ clock }) => createMyStore(newDatabase(), { clock }),
 *     reopen: (store, { clock }) => createMyStore(databaseOf(store), { clock }),
 *   },
 *   { describe, it },
 * );
 * ```
 */
export function describeStateStore(name: string, adapter: StateStoreAdapter, runner: TestRunner): void {
  assertText(name, "The name of the adapter");
  assertArgument(adapter, "The adapter", withMethods("a state store under test,", "create", "reopen"));
  assertArgument(runner, "The runner", runnerKind);
  const groups = {
    records: recordCases,
    groups: groupCases,
    lists: listCases,
    pages: pageCases,
    "reminders, mail, remembered messages": effectCases,
    runs: runCases,
    "the log": logCases(adapter),
    openings: openingCases,
    faults: faultCases(adapter),
  };
  for (const [group, cases] of Object.entries(groups)) {
    if (cases.length === 0) continue;
    runner.describe(`${name}: ${group} of a state store`, () => {
      for (const { promise, tryIt } of cases) {
        runner.it(promise, async () => {
          const lab = new StoreLab(adapter);
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

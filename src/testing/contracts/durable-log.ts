import { assertArgument, assertText, withMethods } from "../../core/internal.ts";
import { letterCases } from "./durable-log/letter-cases.ts";
import { type DurableLogAdapter, type LogCase, LogLab } from "./durable-log/log-case.ts";
import { mailboxCases } from "./durable-log/mailbox-cases.ts";
import { readerCases, restartCases } from "./durable-log/reader-cases.ts";
import { runnerKind, type TestRunner } from "./test-runner.ts";

export type { DurableLogAdapter, TestedLogOptions } from "./durable-log/log-case.ts";

/**
 * Registers the contract suite of `DurableLog`; every adapter must pass all of it. `describeStateStore` has it for the log of a store.
 *
 * @example
 * ```ts
 * describeDurableLog(
 *   "my log",
 *   {
 *     create: ({ clock }) => openMyLog(newServer(), { clock }),
 *     reopen: (log, { clock }) => openMyLog(serverOf(log), { clock }),
 *     close: (log) => closeMyLog(log),
 *   },
 *   { describe, it },
 * );
 * ```
 */
export function describeDurableLog(name: string, adapter: DurableLogAdapter, runner: TestRunner): void {
  assertText(name, "The name of the adapter");
  assertArgument(adapter, "The adapter", withMethods("a durable log under test,", "create", "close", "reopen"));
  assertArgument(runner, "The runner", runnerKind);
  const groups: Readonly<Record<string, readonly LogCase[]>> = {
    mailboxes: mailboxCases,
    "dead letters": letterCases,
    "several processes": adapter.another === undefined ? [] : readerCases,
    "servers that are killed": adapter.restart === undefined ? [] : restartCases,
  };
  for (const [group, cases] of Object.entries(groups)) {
    if (cases.length === 0) continue;
    runner.describe(`${name}: ${group} of a durable log`, () => {
      for (const { promise, tryIt } of cases) {
        runner.it(promise, async () => {
          const lab = new LogLab(adapter);
          try {
            await tryIt(lab);
          } finally {
            await lab.closeAll();
          }
        });
      }
    });
  }
}

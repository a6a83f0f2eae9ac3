import type { SeededRandom } from "troupe/testing";
import { AccountCalls, saysUnchanged } from "../../e2e/faults/support/account-calls.ts";
import { faultsOf } from "../../e2e/faults/support/account-checks.ts";
import { DiaryLoad } from "./diary-load.ts";
import type { SoakCluster } from "./soak-cluster.ts";
import type { SoakFault } from "./soak-faults.ts";

/** Sums of a round, and what was wrong in it. */
export interface RoundOutcome {
  readonly faults: readonly string[];
  /** Calls to accounts that were answered; those that failed, by code and kind. */
  readonly answered: number;
  readonly failed: ReadonlyMap<string, number>;
  /** Told messages and durable events that were acknowledged. */
  readonly acknowledged: number;
}

/** Milliseconds that diaries have until all that was acknowledged is in them. The owner of their mail may have been killed at the end. */
const patienceMs = 60_000;
const accounts = 8;
const diaries = 6;

/** Calls new accounts and writes new diaries while a fault happens, and checks their books when all is quiet. */
export async function runRound(
  cluster: SoakCluster,
  { number, fault, random }: { readonly number: number; readonly fault: SoakFault; readonly random: SeededRandom },
): Promise<RoundOutcome> {
  const keys = (count: number) => Array.from({ length: count }, (_, at) => `r${number}-${at}`);
  const load = new AccountCalls({
    ...{ runtime: cluster.caller, name: `r${number}-`, accounts: keys(accounts), concurrency: 6, gapMs: 40 },
    hasChangedNothing: saysUnchanged,
  });
  const diary = new DiaryLoad(cluster.caller, keys(diaries));
  await load.untilAllAnswered();
  await load.untilAnswered(random.between(20, 60));
  await fault.happen(cluster, random);
  await load.untilAllAnswered();
  await load.untilAnswered(30);
  await Promise.all([load.stop(), diary.stop()]);
  const faults = [...(await faultsOf([load], cluster.caller)), ...(await diary.faults(patienceMs))];
  const failed = new Map<string, number>();
  for (const [code, { count }] of load.failed) failed.set(code, count);
  for (const [code, { count }] of load.again) failed.set(`${code}, made again`, count);
  for (const [code, count] of Object.entries(diary.again)) failed.set(`${code}, told again`, count);
  return { faults, answered: load.answered, failed, acknowledged: diary.count };
}

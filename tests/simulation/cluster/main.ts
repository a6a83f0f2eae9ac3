// `npm run simulate -- --cluster`: plays worlds of several hosts. Exit code 1 when one of them breaks a promise.
import { type ClusterReport, runClusterPlan } from "./cluster-world.ts";
import { type ClusterPlan, makeClusterPlan } from "./plan.ts";
import {
  addClusterTotals,
  type ClusterTotals,
  clusterFailureText,
  clusterTotalsText,
  keepClusterActions,
  noClusterTotals,
  playClusters,
  shrinkCluster,
} from "./play.ts";

/** Failures are told at length only so many times. */
const maxFailuresTold = 3;

/** Options of the command. */
export interface ClusterCommand {
  readonly from: number;
  readonly count: number;
  readonly json: boolean;
  /** Plays a part in a process of its own. Undefined: all is played here. */
  readonly runParts?: (<T>(from: number, count: number, add: (part: T) => void) => Promise<void>) | undefined;
}

export async function replayCluster(seed: number, keep: string | undefined): Promise<void> {
  const whole = makeClusterPlan(seed);
  const kept = keep === "none" ? [] : keep?.split(",").map(Number);
  const plan = kept === undefined ? whole : keepClusterActions(whole, kept);
  const report = await runClusterPlan(plan, { keepsLines: true });
  console.log(report.lines.join("\n"));
  console.log(JSON.stringify({ ...plan, actions: undefined }));
  for (const { checker, text } of report.breaches) console.log(`[${checker}] ${text}`);
  if (report.breaches.length > 0) process.exitCode = 1;
}

export async function playManyClusters({ from, count, json, runParts }: ClusterCommand): Promise<void> {
  const startedMs = performance.now();
  const totals = noClusterTotals();
  if (runParts === undefined) addClusterTotals(totals, await playHere(from, count));
  else await runParts<ClusterTotals>(from, count, (part) => addClusterTotals(totals, part));
  if (json) console.log(JSON.stringify(totals));
  else console.log(`${clusterTotalsText(totals)}\nin ${((performance.now() - startedMs) / 1_000).toFixed(1)} s`);
  if (totals.failedSeeds.length === 0) return;
  process.exitCode = 1;
  if (!json) console.log(`failed: ${totals.failedSeeds.join(" ")}`);
}

async function playHere(from: number, count: number): Promise<ClusterTotals> {
  const failures: { readonly report: ClusterReport; readonly plan: ClusterPlan }[] = [];
  const totals = await playClusters(from, count, { onFailure: (report, plan) => failures.push({ report, plan }) });
  for (const { report, plan } of failures.slice(0, maxFailuresTold)) {
    console.log(clusterFailureText(report, await shrinkCluster(plan, report)));
  }
  return totals;
}

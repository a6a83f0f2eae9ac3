import { type ClusterReport, type ClusterRunOptions, runClusterPlan } from "./cluster-world.ts";
import { type ClusterFigures, noFigures } from "./ledger.ts";
import { type ClusterPlan, makeClusterPlan } from "./plan.ts";

/** The results of many worlds. */
export interface ClusterTotals {
  seeds: number;
  failedSeeds: number[];
  figures: ClusterFigures;
}

export function noClusterTotals(): ClusterTotals {
  return { seeds: 0, failedSeeds: [], figures: noFigures() };
}

export function addClusterTotals(totals: ClusterTotals, more: ClusterTotals): void {
  totals.seeds += more.seeds;
  totals.failedSeeds.push(...more.failedSeeds);
  addFigures(totals.figures, more.figures);
}

export function clusterTotalsText({ seeds, failedSeeds, figures }: ClusterTotals): string {
  const numbers = Object.entries(figures).map(([name, count]) => `${count} ${name}`);
  return `${seeds} clusters, ${failedSeeds.length} failed: ${numbers.join(", ")}`;
}

/** Plays worlds until the end, or until one fails. `onFailure` gets what can be told of each that fails. */
export async function playClusters(
  from: number,
  count: number,
  { onFailure, stops = false, plays = () => true, ...options }: ClusterRunOptions & PlayOptions,
): Promise<ClusterTotals> {
  const totals = noClusterTotals();
  for (let seed = from; seed < from + count; seed += 1) {
    const plan = makeClusterPlan(seed);
    if (!plays(plan)) continue;
    const report = await runClusterPlan(plan, options);
    totals.seeds += 1;
    addFigures(totals.figures, report.figures);
    if (report.breaches.length === 0) continue;
    totals.failedSeeds.push(seed);
    onFailure?.(report, plan);
    if (stops) break;
  }
  return totals;
}

export interface PlayOptions {
  readonly onFailure?: (report: ClusterReport, plan: ClusterPlan) => void;
  readonly stops?: boolean;
  /** The worlds that are played. Default: all. */
  readonly plays?: (plan: ClusterPlan) => boolean;
}

/** The plan with some of its actions only. */
export function keepClusterActions(plan: ClusterPlan, kept: readonly number[]): ClusterPlan {
  return { ...plan, actions: plan.actions.filter((_, index) => kept.includes(index)) };
}

/** Leaves out actions as long as the same checker still complains. */
export async function shrinkCluster(
  plan: ClusterPlan,
  failure: ClusterReport,
  options: ClusterRunOptions = {},
): Promise<number[]> {
  const checkers = new Set(failure.breaches.map(({ checker }) => checker));
  const fails = async (kept: readonly number[]) => {
    const report = await runClusterPlan(keepClusterActions(plan, kept), options);
    return report.breaches.some(({ checker }) => checkers.has(checker));
  };
  let kept = plan.actions.map((_, index) => index);
  for (let index = 0; index < kept.length; ) {
    const fewer = kept.filter((_, place) => place !== index);
    if (await fails(fewer)) kept = fewer;
    else index += 1;
  }
  return kept;
}

export function clusterFailureText({ seed, breaches }: ClusterReport, kept: readonly number[]): string {
  const lines = breaches.slice(0, 5).map(({ checker, text }) => `  [${checker}] ${text}`);
  const keep = kept.length === 0 ? "none" : kept.join(",");
  return `cluster ${seed} breaks a promise\n${lines.join("\n")}\n  npm run simulate -- --cluster --seed ${seed} --keep ${keep}`;
}

function addFigures(sum: ClusterFigures, more: ClusterFigures): void {
  for (const [name, count] of Object.entries(more)) {
    // The names are those of the same interface.
    sum[name as keyof ClusterFigures] += count;
  }
}

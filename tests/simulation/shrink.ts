import type { Plan } from "./plan.ts";
import { type RunOptions, type RunReport, runPlan } from "./run-plan.ts";

/** A failing plan with as few actions as were found to be enough. */
export interface Shrunk {
  /** Indices into the actions of the whole plan, for `--keep`. */
  readonly kept: readonly number[];
  readonly plan: Plan;
  readonly report: RunReport;
}

export interface ShrinkOptions extends Pick<RunOptions, "plant"> {
  /** Milliseconds of real time that it may take. Default 20 000. */
  readonly maxMs?: number;
}

/** The plan with some of its actions only. */
export function keepActions(plan: Plan, kept: readonly number[]): Plan {
  return { ...plan, actions: plan.actions.filter((_, index) => kept.includes(index)) };
}

/** Leaves out actions as long as the same checker still complains; ends in time. */
export async function shrink(plan: Plan, failure: RunReport, options: ShrinkOptions = {}): Promise<Shrunk> {
  const { maxMs = 20_000, plant } = options;
  const checkers = new Set(failure.breaches.map(({ checker }) => checker));
  const endMs = performance.now() + maxMs;
  const fails = async (kept: readonly number[]) => {
    const report = await runPlan(keepActions(plan, kept), { plant });
    return report.breaches.some(({ checker }) => checkers.has(checker));
  };
  let kept = plan.actions.map((_, index) => index);
  for (let size = Math.ceil(kept.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let start = 0; start < kept.length && performance.now() < endMs; ) {
      const fewer = [...kept.slice(0, start), ...kept.slice(start + size)];
      if (await fails(fewer)) kept = fewer;
      else start += size;
    }
  }
  const shrunk = keepActions(plan, kept);
  return { kept, plan: shrunk, report: await runPlan(shrunk, { plant, keepsLines: true }) };
}

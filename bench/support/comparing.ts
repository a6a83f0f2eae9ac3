import { type ComparisonText, printComparison } from "./comparison.ts";
import type { Contender } from "./contender.ts";
import { measureInterleaved } from "./interleaved-rounds.ts";
import { readPlanOptions } from "./plan-options.ts";
import { writeResults } from "./results-file.ts";

export interface Comparing<Load> extends ComparisonText {
  /** The file name of its results. */
  readonly benchmark: string;
  readonly title: string;
  readonly contenders: readonly Contender<Load>[];
  readonly loads: readonly Load[];
  readonly loadText: (load: Load) => string;
  /** Of one round. Default 1; 0: a round takes as long as it takes. */
  readonly seconds?: number;
  /** Default 5. */
  readonly rounds?: number;
}

/** A whole benchmark of interleaved rounds: measures, prints the tables, names who was absent, and writes the results. */
export async function compare<Load>({ benchmark, title, ...comparing }: Comparing<Load>): Promise<void> {
  const { rounds: usualRounds = 5, seconds = 1 } = comparing;
  const options = readPlanOptions({ rounds: usualRounds, seconds });
  const chosen = comparing.contenders.filter(({ name }) => name.includes(options.only));
  const loads = comparing.loads.filter((load) => comparing.loadText(load).includes(options.loads));
  const absent = chosen.filter((contender) => contender.absent !== undefined);
  const present = chosen.filter((contender) => contender.absent === undefined);
  const plan = { ...options, loads, loadText: comparing.loadText };
  const length = plan.secondsPerRound === 0 ? "" : ` of ${plan.secondsPerRound} s`;
  console.log(`${title}: ${plan.rounds} interleaved rounds${length}\n`);
  const series = await measureInterleaved(present, plan);
  printComparison(series, comparing);
  for (const { name, absent: reason } of absent) console.log(`absent: ${name} (${reason})`);
  const { rounds, secondsPerRound } = plan;
  const figures = { plan: { rounds, secondsPerRound }, series, absent: absent.map(({ name }) => name) };
  console.log(`\nfigures: ${writeResults(benchmark, figures)}`);
}

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
  /** Of one round. Default 1. */
  readonly seconds?: number;
}

/** A whole benchmark of interleaved rounds: measures, prints the tables, names who was absent, and writes the results. */
export async function compare<Load>({ benchmark, title, ...comparing }: Comparing<Load>): Promise<void> {
  const options = readPlanOptions(comparing.seconds === undefined ? {} : { seconds: comparing.seconds });
  const chosen = comparing.contenders.filter(({ name }) => name.includes(options.only));
  const loads = comparing.loads.filter((load) => comparing.loadText(load).includes(options.loads));
  const absent = chosen.filter((contender) => contender.absent !== undefined);
  const present = chosen.filter((contender) => contender.absent === undefined);
  const plan = { ...options, loads, loadText: comparing.loadText };
  console.log(`${title}: ${plan.rounds} interleaved rounds of ${plan.secondsPerRound} s\n`);
  const series = await measureInterleaved(present, plan);
  printComparison(series, comparing);
  for (const { name, absent: reason } of absent) console.log(`absent: ${name} (${reason})`);
  const { rounds, secondsPerRound } = plan;
  const figures = { plan: { rounds, secondsPerRound }, series, absent: absent.map(({ name }) => name) };
  console.log(`\nfigures: ${writeResults(benchmark, figures)}`);
}

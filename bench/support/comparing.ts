import { type ComparisonText, printComparison } from "./comparison.ts";
import type { Contender } from "./contender.ts";
import { measureInterleaved, type Series } from "./interleaved-rounds.ts";
import { readPlanOptions } from "./plan-options.ts";
import { writeResults } from "./results-file.ts";

export interface Comparing<Load> extends ComparisonText {
  /** The file name of its results. */
  readonly benchmark: string;
  readonly title: string;
  readonly contenders: readonly Contender<Load>[];
  readonly loads: readonly Load[];
  readonly loadText: (load: Load) => string;
  /**
   * True: measures one load after the other, each with processes of its own, so that no process runs that only another load needs.
   * Default: measures all loads with the same processes.
   */
  readonly loadsApart?: boolean;
  /** Seconds of one round. Default 1; 0: the contender decides how long a round takes. */
  readonly seconds?: number;
  /** Number of rounds. Default 5. */
  readonly rounds?: number;
  /** Seconds for which each contender runs under each load before the first round. Default 1; 0: not at all. */
  readonly warmUpSeconds?: number;
  /** Command-line options. Default: those of this process. */
  readonly args?: readonly string[];
}

/** Runs a benchmark of interleaved rounds: measures, prints tables and absent contenders, and writes the results. Returns all rounds. */
export async function compare<Load>({ benchmark, title, ...comparing }: Comparing<Load>): Promise<readonly Series[]> {
  const { rounds: usualRounds = 5, seconds = 1, warmUpSeconds = 1 } = comparing;
  const options = readPlanOptions({ rounds: usualRounds, seconds, warmUpSeconds }, comparing.args);
  const chosen = comparing.contenders.filter(({ name }) => hasOneOf(name, options.only));
  const loads = comparing.loads.filter((load) => hasOneOf(comparing.loadText(load), options.loads));
  const allNames = comparing.contenders.map(({ name }) => name);
  assertChosen(chosen, "only", options.only, allNames);
  assertChosen(loads, "loads", options.loads, comparing.loads.map(comparing.loadText));
  const absent = chosen.filter((contender) => contender.absent !== undefined);
  const present = chosen.filter((contender) => contender.absent === undefined);
  const plan = { ...options, loads, loadText: comparing.loadText };
  const length = plan.secondsPerRound === 0 ? "" : ` of ${plan.secondsPerRound} s`;
  console.log(`${title}: ${plan.rounds} interleaved rounds${length}\n`);
  const series: Series[] = [];
  for (const together of comparing.loadsApart === true ? loads.map((load) => [load]) : [loads]) {
    series.push(...(await measureInterleaved(present, { ...plan, loads: together })));
  }
  printComparison(series, comparing);
  for (const { name, absent: reason } of absent) console.log(`absent: ${name} (${reason})`);
  const { rounds, secondsPerRound } = plan;
  const { unit, baseline } = comparing;
  const names = absent.map(({ name }) => name);
  const figures = { title, unit, baseline, plan: { rounds, secondsPerRound }, series, absent: names };
  console.log(`\nfigures: ${writeResults(benchmark, figures)}`);
  return series;
}

/** Whether a text contains one of several, which `|` separates. */
function hasOneOf(text: string, parts: string): boolean {
  return parts.split("|").some((part) => text.includes(part));
}

function assertChosen(chosen: readonly unknown[], option: string, text: string, all: readonly string[]): void {
  if (chosen.length === 0) throw new Error(`--${option} ${text} names none of: ${all.join("; ")}.`);
}

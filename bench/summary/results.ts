import { medianOf, ratioOf } from "../support/comparison.ts";
import type { Series } from "../support/interleaved-rounds.ts";
import { type Machine, readResults } from "../support/results-file.ts";

/** The results of a benchmark that compares contenders in rounds. */
export interface ComparedResults {
  readonly benchmark: string;
  readonly measuredAt: string;
  readonly machine: Machine;
  readonly title: string;
  readonly unit: string;
  readonly baseline: string;
  readonly plan: { readonly rounds: number; readonly secondsPerRound: number };
  readonly series: readonly Series[];
  readonly absent: readonly string[];
}

/** The latest results of such a benchmark; undefined when it has not been run here. */
export function comparedResults(benchmark: string): ComparedResults | undefined {
  const results = readResults(benchmark);
  return results?.series === undefined ? undefined : (results as unknown as ComparedResults); // written by `compare`
}

/** A figure of a benchmark: its median over the rounds. */
export function figureOf(benchmark: string, contender: string, load: string, figure = "perSecond"): number | undefined {
  const series = seriesOf(benchmark, contender, load);
  return series === undefined ? undefined : medianOf(series, figure);
}

/** How many times the other's figure one contender's is: the median of the rounds' own ratios. */
export function timesOf(
  benchmark: string,
  load: string,
  [one, other]: readonly [string, string],
  figure = "perSecond",
): number | undefined {
  const [first, second] = [seriesOf(benchmark, one, load), seriesOf(benchmark, other, load)];
  return first === undefined || second === undefined ? undefined : ratioOf(first, second, figure);
}

/** How much more one contender's figure is than the other's: the difference of their medians. */
export function moreOf(
  benchmark: string,
  load: string,
  [one, other]: readonly [string, string],
  figure: string,
): number | undefined {
  const [first, second] = [figureOf(benchmark, one, load, figure), figureOf(benchmark, other, load, figure)];
  return first === undefined || second === undefined ? undefined : first - second;
}

/** How many times its own figure at one load a contender reaches at another. */
export function growthOf(
  benchmark: string,
  contender: string,
  [load, before]: readonly [string, string],
  figure = "perSecond",
): number | undefined {
  const [then, first] = [seriesOf(benchmark, contender, load), seriesOf(benchmark, contender, before)];
  return then === undefined || first === undefined ? undefined : ratioOf(then, first, figure);
}

/** How much longer the longest honest call takes under the worst flood, in ms; undefined when `hostile` has not been run here. */
export function worstFloodMs(): number | undefined {
  const figures = readResults("hostile")?.figures as Readonly<Record<string, { readonly moreMs: number }>> | undefined; // its main.ts writes them
  return figures === undefined ? undefined : Math.max(...Object.values(figures).map(({ moreMs }) => moreMs));
}

function seriesOf(benchmark: string, contender: string, load: string): Series | undefined {
  return comparedResults(benchmark)?.series.find((one) => one.contender === contender && one.load === load);
}

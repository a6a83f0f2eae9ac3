import type { Series } from "./interleaved-rounds.ts";
import { median, spread } from "./statistics.ts";
import { formatNumber, formatTable } from "./table.ts";

export interface ComparisonText<Load> {
  /** What is counted, as `calls/s`. */
  readonly unit: string;
  readonly loadText: (load: Load) => string;
}

/**
 * Prints one table for each load: the median over the rounds of the rate and of p50 and p99, how far the rounds lie
 * apart, and how many times the last contender's rate each one reaches.
 */
export function printComparison<Load>(series: readonly Series<Load>[], text: ComparisonText<Load>): void {
  for (const load of new Set(series.map((one) => one.load))) {
    const rows = series.filter((one) => one.load === load);
    const baseline = rows.at(-1);
    if (baseline === undefined) continue;
    const header = [text.loadText(load), text.unit, "spread", "p50 µs", "p99 µs", "ratio"];
    const table = rows.map(({ contender, rounds }) => {
      const rates = rounds.map((round) => round.perSecond);
      return [
        contender,
        formatNumber(median(rates)),
        `${formatNumber(spread(rates) * 100)} %`,
        formatNumber(median(rounds.map((round) => round.p50Us))),
        formatNumber(median(rounds.map((round) => round.p99Us))),
        `${formatNumber(median(rates) / median(baseline.rounds.map((round) => round.perSecond)))}×`,
      ];
    });
    console.log(`${formatTable(header, table)}\n`);
  }
}

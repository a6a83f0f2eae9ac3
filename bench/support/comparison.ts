import type { Series } from "./interleaved-rounds.ts";
import { median, spread } from "./statistics.ts";
import { formatNumber, formatTable } from "./table.ts";

export interface ComparisonText {
  /** Unit of `perSecond`, such as `calls/s`. Other figures have their unit in their name. */
  readonly unit: string;
  /** Contender that the others are compared with. If it is absent, there are no ratios. */
  readonly baseline: string;
}

/** Figures to compare a load by if it has no rate. */
const plainFigures = { ms: "ms", rssMiB: "MiB", bytes: "bytes" } as const;

/** Figures with their own column, if a contender has them. */
const latencies = { p50Us: "p50 µs", p99Us: "p99 µs" } as const;

/** Results of all contenders under one load. */
export interface Comparison {
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/**
 * Returns one table per load, with medians over the rounds: the rate (or time, or memory), its spread, latencies, and
 * processor time by process. The last column has each contender's ratio to the baseline.
 */
export function comparisons(series: readonly Series[], { unit, baseline }: ComparisonText): readonly Comparison[] {
  return [...new Set(series.map((one) => one.load))].map((load) => {
    const rows = series.filter((one) => one.load === load);
    const base = rows.find(({ contender }) => contender === baseline);
    const figure = mainFigureOf(rows);
    const title = figure === "perSecond" ? unit : plainFigures[figure];
    const latencyNames = figuresIn(rows, latencies);
    const latencyTitles = latencyNames.map((name) => latencies[name]);
    const header = [load, title, "spread", ...latencyTitles, "ratio", processorTitle(rows)];
    const table = rows.map((row) => [
      row.contender,
      formatNumber(medianOf(row, figure) ?? Number.NaN),
      `${formatNumber(spread(row.rounds.map((round) => round[figure] ?? Number.NaN)) * 100)} %`,
      ...latencyNames.map((name) => textOf(medianOf(row, name))),
      base === undefined ? "" : `${formatNumber(ratioOf(row, base, figure) ?? Number.NaN)}×`,
      processorText(row),
    ]);
    return { header, rows: table };
  });
}

export function printComparison(series: readonly Series[], text: ComparisonText): void {
  for (const { header, rows } of comparisons(series, text)) console.log(`${formatTable(header, rows)}\n`);
}

/** Median over the rounds of one figure; undefined if no round has it. */
export function medianOf({ rounds }: Series, figure: string): number | undefined {
  const values = rounds.map((round) => round[figure]).filter((value) => value !== undefined);
  return values.length === 0 ? undefined : median(values);
}

/** Median over the rounds of the ratio between two contenders' rates in the same round. */
export function ratioOf(one: Series, other: Series, figure = "perSecond"): number | undefined {
  const ratios = one.rounds.map(
    (round, at) => (round[figure] ?? Number.NaN) / (other.rounds[at]?.[figure] ?? Number.NaN),
  );
  return ratios.some(Number.isNaN) ? undefined : median(ratios);
}

function mainFigureOf(rows: readonly Series[]): "perSecond" | keyof typeof plainFigures {
  return figuresIn(rows, plainFigures)[0] ?? "perSecond";
}

/** Returns the figures that at least one row has. */
function figuresIn<Figure extends string>(rows: readonly Series[], titles: Readonly<Record<Figure, string>>): Figure[] {
  const figures = Object.keys(titles) as Figure[]; // `keys` gives them as texts
  return figures.filter((figure) => rows.some((row) => medianOf(row, figure) !== undefined));
}

function processorTitle(rows: readonly Series[]): string {
  return rows.some((row) => processorText(row) !== "") ? "cpu µs by process" : "";
}

function processorText(row: Series): string {
  const figures = Object.keys(row.rounds[0] ?? {}).filter((figure) => figure.startsWith("cpuUs "));
  return figures.map((figure) => `${figure.slice(6)} ${textOf(medianOf(row, figure))}`).join(", ");
}

function textOf(value: number | undefined): string {
  return value === undefined ? "" : formatNumber(value);
}

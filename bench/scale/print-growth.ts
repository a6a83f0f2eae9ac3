import { medianOf, ratioOf } from "../support/comparison.ts";
import type { Series } from "../support/interleaved-rounds.ts";
import { formatNumber, formatTable } from "../support/table.ts";
import type { Curve } from "./curves.ts";

/** Column titles of the figures. */
const columns: Readonly<Record<string, string>> = {
  p50Us: "p50 µs",
  p99Us: "p99 µs",
  rssMiB: "host RSS MiB",
  heapMiB: "host heap MiB",
  workerRssMiB: "worker RSS MiB",
  agentBytes: "bytes an agent",
};

/** Prints a curve's points, the medians of their rounds; a rate and the host's processor time also as times those of the first point. */
export function printGrowth({ title, axis }: Curve, series: readonly Series[]): void {
  const [first] = series;
  if (first === undefined) return;
  const isSparse = series.some((row) => medianOf(row, "sparsePerSecond") !== medianOf(row, "perSecond"));
  const rated = { perSecond: "per second", "cpuUs host": "host cpu µs" };
  const ratedToo = isSparse ? { sparsePerSecond: "sparse per second", "sparseCpuUs host": "host cpu µs" } : {};
  const rates = Object.entries({ ...rated, ...ratedToo });
  const others = Object.entries(columns).filter(([figure]) => medianOf(first, figure) !== undefined);
  const header = [axis, ...rates.flatMap(([, name]) => [name, "×"]), ...others.map(([, name]) => name)];
  const rows = series.map((row) => {
    const text = (figure: string) => formatNumber(medianOf(row, figure) ?? Number.NaN);
    const times = (figure: string) => (ratioOf(row, first, figure) ?? Number.NaN).toFixed(2);
    return [
      formatNumber(Number(row.load)),
      ...rates.flatMap(([figure]) => [text(figure), times(figure)]),
      ...others.map(([figure]) => text(figure)),
    ];
  });
  console.log(`${title}\n${formatTable(header, rows)}\n`);
}

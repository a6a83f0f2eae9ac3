import type { RunReport } from "./run-plan.ts";

/** What many runs came to. Plain data, so that it can pass from one process to another. */
export interface Totals {
  seeds: number;
  events: number;
  receipts: number;
  streams: number;
  chunks: number;
  overtaken: number;
  virtualMs: number;
  readonly faults: Record<string, number>;
  readonly outcomes: Record<string, number>;
  readonly failedSeeds: number[];
}

export function noTotals(): Totals {
  const counts = { seeds: 0, events: 0, receipts: 0, streams: 0, chunks: 0, overtaken: 0, virtualMs: 0 };
  return { ...counts, faults: {}, outcomes: {}, failedSeeds: [] };
}

export function addReport(totals: Totals, report: RunReport): void {
  totals.seeds += 1;
  totals.events += report.events;
  totals.receipts += report.receipts;
  totals.streams += report.streams;
  totals.chunks += report.chunks;
  totals.overtaken += report.overtaken;
  totals.virtualMs += report.virtualMs;
  addCounts(totals.faults, report.faults);
  addCounts(totals.outcomes, report.outcomes);
  if (report.breaches.length > 0) totals.failedSeeds.push(report.seed);
}

export function addTotals(totals: Totals, other: Totals): void {
  totals.seeds += other.seeds;
  totals.events += other.events;
  totals.receipts += other.receipts;
  totals.streams += other.streams;
  totals.chunks += other.chunks;
  totals.overtaken += other.overtaken;
  totals.virtualMs += other.virtualMs;
  addCounts(totals.faults, Object.entries(other.faults));
  addCounts(totals.outcomes, Object.entries(other.outcomes));
  totals.failedSeeds.push(...other.failedSeeds);
}

export function totalsText(totals: Totals): string {
  const { seeds, events, receipts, streams, chunks, overtaken, virtualMs, faults, outcomes, failedSeeds } = totals;
  return [
    `${seeds} seeds run, ${failedSeeds.length} failed; ${Math.round(virtualMs / 1_000)} s of simulated time`,
    `${sum(faults)} faults injected: ${countsText(faults)}; ${overtaken} deliveries reordered`,
    `${sum(outcomes)} calls: ${countsText(outcomes)}`,
    `${streams} streams with ${chunks} chunks read; ${events} events published, ${receipts} times received`,
  ].join("\n");
}

function addCounts(counts: Record<string, number>, more: Iterable<readonly [string, number]>): void {
  for (const [name, count] of more) counts[name] = (counts[name] ?? 0) + count;
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}

function countsText(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, count]) => `${count} ${name}`)
    .join(", ");
}

import { LatencyHistogram } from "./latency-histogram.ts";

/** The calls to one agent type in the last minute. */
export interface TypeActivityRow {
  /** Null: all types for which there was no place, and types that no worker served. */
  readonly type: string | null;
  readonly calls: number;
  /** Those that the host failed, and those whose caller no longer waited. */
  readonly failed: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly maxMs: number;
}

/** Milliseconds of one part of the minute, and parts that are kept. */
const partMs = 10_000;
const parts = 6;
/** Agent types that have a row of their own: with their names, 2 MiB at most. A type that was not called for a minute gives its place away. */
export const mostTypes = 400;

interface Part {
  readonly number: number;
  failed: number;
  readonly durations: LatencyHistogram;
}

/** Counts the calls of the last minute by agent type. */
export class TypeActivity {
  readonly #types = new Map<string | undefined, Part[]>();
  #sweptPart = 0;

  get size(): number {
    return this.#types.size;
  }

  /** `type`: undefined for one that no worker serves. */
  add(
    type: string | undefined,
    { isFailed, ms }: { readonly isFailed: boolean; readonly ms: number },
    nowMs: number,
  ): void {
    const number = Math.floor(nowMs / partMs);
    if (number !== this.#sweptPart) this.#sweep(number);
    const part = this.#partOf(type, number);
    if (isFailed) part.failed += 1;
    part.durations.add(ms);
  }

  /** The slowest type first. */
  rows(nowMs: number): readonly TypeActivityRow[] {
    this.#sweep(Math.floor(nowMs / partMs));
    return [...this.#types].map(([type, all]) => rowOf(type, all)).sort((one, other) => other.p95Ms - one.p95Ms);
  }

  #partOf(type: string | undefined, number: number): Part {
    const all = this.#types.get(type);
    const newest = all?.at(-1);
    if (newest?.number === number) return newest;
    if (all === undefined && type !== undefined && this.#types.size >= mostTypes)
      return this.#partOf(undefined, number);
    const part: Part = { number, failed: 0, durations: new LatencyHistogram() };
    if (all === undefined) this.#types.set(type, [part]);
    else all.push(part);
    return part;
  }

  /** Forgets what is older than a minute. */
  #sweep(number: number): void {
    this.#sweptPart = number;
    for (const [type, all] of this.#types) {
      while ((all[0]?.number ?? number) <= number - parts) all.shift();
      if (all.length === 0) this.#types.delete(type);
    }
  }
}

function rowOf(type: string | undefined, all: readonly Part[]): TypeActivityRow {
  const durations = new LatencyHistogram();
  let failed = 0;
  for (const part of all) {
    durations.addAll(part.durations);
    failed += part.failed;
  }
  const { count: calls, maxMs } = durations;
  const [p50Ms = 0, p95Ms = 0] = [durations.quantile(0.5), durations.quantile(0.95)];
  return { type: type ?? null, calls, failed, p50Ms, p95Ms, maxMs };
}

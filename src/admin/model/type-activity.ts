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

/** The calls to one agent type, with all their times. */
export interface TypeDurations {
  /** Undefined: all types that have no row of their own. */
  readonly type: string | undefined;
  readonly failed: number;
  readonly durations: LatencyHistogram;
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
  /** Where the last call was counted: the next one is often to the same type. */
  #last: { readonly type: string | undefined; readonly part: Part } | undefined;

  get size(): number {
    return this.#types.size;
  }

  /** Time has passed: what is added counts for this time. */
  passTo(nowMs: number): void {
    const number = Math.floor(nowMs / partMs);
    if (number !== this.#sweptPart) this.#sweep(number);
  }

  /** Counts a call now. `type`: undefined for one that no worker serves. `bucket`: that of its duration. */
  add(type: string | undefined, ms: number, bucket: number, isFailed: boolean): void {
    const last = this.#last;
    const part = last !== undefined && last.type === type ? last.part : this.#partOf(type);
    if (isFailed) part.failed += 1;
    part.durations.add(ms, bucket);
  }

  /** In no order. */
  durations(nowMs: number): readonly TypeDurations[] {
    this.passTo(nowMs);
    return [...this.#types].map(([type, all]) => sumOf(type, all));
  }

  #partOf(type: string | undefined): Part {
    const all = this.#types.get(type);
    if (all === undefined && type !== undefined && this.#types.size >= mostTypes) return this.#partOf(undefined);
    const part = newestOf(all, this.#sweptPart) ?? {
      number: this.#sweptPart,
      failed: 0,
      durations: new LatencyHistogram(),
    };
    this.#last = { type, part };
    if (all === undefined) this.#types.set(type, [part]);
    else if (all.at(-1) !== part) all.push(part);
    return part;
  }

  /** Forgets what is older than a minute. */
  #sweep(number: number): void {
    this.#sweptPart = number;
    this.#last = undefined;
    for (const [type, all] of this.#types) {
      while ((all[0]?.number ?? number) <= number - parts) all.shift();
      if (all.length === 0) this.#types.delete(type);
    }
  }
}

function newestOf(all: readonly Part[] | undefined, number: number): Part | undefined {
  const newest = all?.at(-1);
  return newest?.number === number ? newest : undefined;
}

function sumOf(type: string | undefined, all: readonly Part[]): TypeDurations {
  const durations = new LatencyHistogram();
  let failed = 0;
  for (const part of all) {
    durations.addAll(part.durations);
    failed += part.failed;
  }
  return { type, failed, durations };
}

/** The slowest type first. */
export function typeRows(types: readonly TypeDurations[]): readonly TypeActivityRow[] {
  return types.map(typeRow).sort((one, other) => other.p95Ms - one.p95Ms);
}

function typeRow({ type, failed, durations }: TypeDurations): TypeActivityRow {
  const { count: calls, maxMs } = durations;
  const [p50Ms = 0, p95Ms = 0] = [durations.quantile(0.5), durations.quantile(0.95)];
  return { type: type ?? null, calls, failed, p50Ms, p95Ms, maxMs };
}

/** The most durations of one row that are kept: beyond it the newest take the place of the oldest. */
const most = 200_000;

/** Durations of one row, and what they tell. */
export class Durations {
  readonly #ms = new Float64Array(most);
  #count = 0;
  #maxMs = 0;

  get count(): number {
    return this.#count;
  }

  add(ms: number): void {
    this.#ms[this.#count % most] = ms;
    this.#count += 1;
    if (ms > this.#maxMs) this.#maxMs = ms;
  }

  /** The longest, and those that half, 95 % and 99 % do not exceed, in milliseconds. Null: there are none. */
  summary(): DurationSummary {
    const sorted = this.#ms.subarray(0, Math.min(this.#count, most)).slice().sort();
    const at = (share: number): number | null => {
      const ms = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
      return ms === undefined ? null : rounded(ms);
    };
    return { p50Ms: at(0.5), p95Ms: at(0.95), p99Ms: at(0.99), maxMs: this.#count === 0 ? null : rounded(this.#maxMs) };
  }
}

export interface DurationSummary {
  readonly p50Ms: number | null;
  readonly p95Ms: number | null;
  readonly p99Ms: number | null;
  readonly maxMs: number | null;
}

/** Hundredths of a millisecond. */
export function rounded(ms: number): number {
  return Math.round(100 * ms) / 100;
}

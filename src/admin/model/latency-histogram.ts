/** The buckets of one doubling of the time; the longest time of the first bucket; all buckets. The last one begins near 7 minutes. */
const perDoubling = 4;
const shortestMs = 0.1;
const buckets = 90;

/** Counts durations in buckets that are 19 % wide, so that it has the same size for any number of them. */
export class LatencyHistogram {
  readonly #counts = new Uint32Array(buckets);
  #count = 0;
  #maxMs = 0;

  /** Bytes of one. */
  static readonly bytes = 4 * buckets + 100;

  get count(): number {
    return this.#count;
  }

  /** The longest duration; 0 before the first one. */
  get maxMs(): number {
    return this.#maxMs;
  }

  /** The bucket of a duration, for `add`: several histograms that get the same one find it once. */
  static bucketOf(ms: number): number {
    if (ms <= shortestMs) return 0;
    return Math.min(buckets - 1, Math.ceil(perDoubling * Math.log2(ms / shortestMs)));
  }

  add(ms: number, bucket = LatencyHistogram.bucketOf(ms)): void {
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#count += 1;
    if (ms > this.#maxMs) this.#maxMs = ms;
  }

  addAll(other: LatencyHistogram): void {
    for (const [bucket, count] of other.#counts.entries())
      if (count > 0) this.#counts[bucket] = (this.#counts[bucket] ?? 0) + count;
    this.#count += other.#count;
    this.#maxMs = Math.max(this.#maxMs, other.#maxMs);
  }

  /** The number of each bucket that has some, and how many it has, by turns. */
  list(): readonly number[] {
    return [...this.#counts].flatMap((count, bucket) => (count === 0 ? [] : [bucket, count]));
  }

  /** Adds what `list` of another one has said. Buckets that there are not count for nothing. */
  addList(list: readonly number[], maxMs: number): void {
    for (let at = 0; at + 1 < list.length; at += 2) {
      const [bucket = buckets, count = 0] = [list[at], list[at + 1]];
      if (bucket >= buckets) continue;
      this.#counts[bucket] = (this.#counts[bucket] ?? 0) + count;
      this.#count += count;
    }
    this.#maxMs = Math.max(this.#maxMs, maxMs);
  }

  /** The duration that a share of all durations, such as 0.95, does not exceed. At most 19 % too long. Undefined: there are none. */
  quantile(share: number): number | undefined {
    if (this.#count === 0) return undefined;
    let left = Math.ceil(share * this.#count);
    for (const [bucket, count] of this.#counts.entries()) {
      left -= count;
      if (left <= 0) return Math.min(this.#maxMs, shortestMs * 2 ** (bucket / perDoubling));
    }
    return this.#maxMs;
  }
}

/** Percentiles of a round's latencies, in microseconds. */
export interface Latencies {
  readonly p50Us: number;
  readonly p99Us: number;
}

/** Collects durations in a fixed ring: the last `capacity` ones count, and nothing is allocated while measuring. */
export class LatencyRecorder {
  readonly #durationsUs: Float64Array;
  #count = 0;

  constructor(capacity = 1_000_000) {
    this.#durationsUs = new Float64Array(capacity);
  }

  record(durationUs: number): void {
    this.#durationsUs[this.#count % this.#durationsUs.length] = durationUs;
    this.#count += 1;
  }

  summary(): Latencies {
    const sorted = this.#durationsUs.slice(0, Math.min(this.#count, this.#durationsUs.length)).sort();
    const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
    return { p50Us: at(0.5), p99Us: at(0.99) };
  }
}

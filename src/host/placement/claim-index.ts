const segmentCount = 256;
const firstSize = 16;
/** Of four places at most three are taken. */
const [takenParts, ofParts] = [3, 4];

/**
 * Finds entries by their hashes: open addressing in 256 segments by the highest bits. Each segment grows by itself, so that none takes
 * long. It holds the numbers of entries, plus one.
 */
export class ClaimIndex {
  readonly #segments: (Int32Array | undefined)[] = new Array(segmentCount).fill(undefined);
  readonly #counts = new Int32Array(segmentCount);
  readonly #hashOf: (entry: number) => number;

  constructor(hashOf: (entry: number) => number) {
    this.#hashOf = hashOf;
  }

  get byteLength(): number {
    return this.#segments.reduce((sum, segment) => sum + (segment?.byteLength ?? 0), 0);
  }

  /** Returns the entry with the hash for which `is` holds; -1: none. */
  find(hash: number, is: (entry: number) => boolean): number {
    const segment = this.#segments[hash >>> 24];
    if (segment === undefined) return -1;
    const mask = segment.length - 1;
    for (let at = hash & mask; ; at = (at + 1) & mask) {
      const entry = (segment[at] ?? 0) - 1;
      if (entry < 0) return -1;
      if (this.#hashOf(entry) === hash && is(entry)) return entry;
    }
  }

  /** Adds an entry, whose hash is known already. */
  add(hash: number, entry: number): void {
    const number = hash >>> 24;
    let segment = this.#segments[number];
    const count = (this.#counts[number] ?? 0) + 1;
    if (segment === undefined || ofParts * count > takenParts * segment.length) segment = this.#grow(number, segment);
    this.#counts[number] = count;
    insert(segment, hash, entry);
  }

  /** Takes an entry out; those behind it close the gap. */
  delete(hash: number, entry: number): void {
    const number = hash >>> 24;
    const segment = this.#segments[number];
    if (segment === undefined) return;
    const mask = segment.length - 1;
    let gap = hash & mask;
    while (segment[gap] !== entry + 1) {
      if (segment[gap] === 0) return;
      gap = (gap + 1) & mask;
    }
    for (let at = (gap + 1) & mask; segment[at] !== 0; at = (at + 1) & mask) {
      const home = this.#hashOf((segment[at] ?? 0) - 1) & mask;
      // The one at `at` may move to the gap unless its home lies behind the gap.
      if (((at - home) & mask) < ((at - gap) & mask)) continue;
      segment[gap] = segment[at] ?? 0;
      gap = at;
    }
    segment[gap] = 0;
    const left = (this.#counts[number] ?? 0) - 1;
    this.#counts[number] = left;
    if (left === 0) this.#segments[number] = undefined;
  }

  #grow(number: number, old: Int32Array | undefined): Int32Array {
    const segment = new Int32Array(old === undefined ? firstSize : 2 * old.length);
    for (const stored of old ?? []) if (stored > 0) insert(segment, this.#hashOf(stored - 1), stored - 1);
    this.#segments[number] = segment;
    return segment;
  }
}

function insert(segment: Int32Array, hash: number, entry: number): void {
  const mask = segment.length - 1;
  let at = hash & mask;
  while (segment[at] !== 0) at = (at + 1) & mask;
  segment[at] = entry + 1;
}

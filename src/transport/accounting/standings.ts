/** Something that holds bytes, with its place in a `Standings`. */
export interface Holder {
  readonly held: number;
  /** 0: it holds too little to be listed. This and the bounds of the level are written by `Standings` alone. */
  level: number;
  levelFrom: number;
  levelTo: number;
}

/** Holders of the highest level that are compared. They differ by less than a factor of two. */
const compared = 64;

/**
 * Finds a holder of the most bytes, to a factor of two. Each level has twice the bytes of the one below. So a change costs one
 * comparison, and a search looks at few holders. Those below `leastBytes` are not listed.
 */
export class Standings<T extends Holder> {
  readonly #levels: Set<T>[] = [];
  readonly #leastBytes: number;

  constructor(leastBytes: number) {
    this.#leastBytes = Math.max(1, leastBytes);
  }

  /** Takes note of what a holder holds now. */
  update(holder: T): void {
    const { held } = holder;
    if (held >= holder.levelFrom && held < holder.levelTo) return;
    const level = 32 - Math.clz32(Math.floor(held / this.#leastBytes));
    holder.levelFrom = level === 0 ? 0 : this.#leastBytes * 2 ** (level - 1);
    holder.levelTo = this.#leastBytes * 2 ** level;
    if (level !== holder.level) this.#move(holder, level);
  }

  /** Returns the one that holds most among the first holders of the highest level. Undefined: no holder is listed. */
  top(): T | undefined {
    for (let level = this.#levels.length - 1; level > 0; level -= 1) {
      let best: T | undefined;
      let count = 0;
      for (const holder of this.#levels[level] ?? []) {
        if (best === undefined || holder.held > best.held) best = holder;
        count += 1;
        if (count === compared) break;
      }
      if (best !== undefined) return best;
    }
    return undefined;
  }

  #move(holder: T, level: number): void {
    if (holder.level > 0) this.#levels[holder.level]?.delete(holder);
    holder.level = level;
    if (level === 0) return;
    for (let at = this.#levels.length; at <= level; at += 1) this.#levels[at] = new Set();
    this.#levels[level]?.add(holder);
  }
}

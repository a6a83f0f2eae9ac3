const none: readonly never[] = [];

/** A set of turns in the order in which they came. Most agents have one turn at a time, for which it makes no `Set`. */
export class FewTurns<T> implements Iterable<T> {
  #only: T | undefined;
  #all: Set<T> | undefined;

  get size(): number {
    return this.#all?.size ?? (this.#only === undefined ? 0 : 1);
  }

  add(turn: T): void {
    if (this.#all !== undefined) this.#all.add(turn);
    else if (this.#only === undefined) this.#only = turn;
    else {
      this.#all = new Set([this.#only, turn]);
      this.#only = undefined;
    }
  }

  /** Removes a turn, also while its caller iterates. Returns false if it was not there. */
  delete(turn: T): boolean {
    if (this.#all !== undefined) return this.#all.delete(turn);
    if (this.#only !== turn) return false;
    this.#only = undefined;
    return true;
  }

  [Symbol.iterator](): Iterator<T> {
    const all = this.#all ?? (this.#only === undefined ? none : [this.#only]);
    return all[Symbol.iterator]();
  }
}

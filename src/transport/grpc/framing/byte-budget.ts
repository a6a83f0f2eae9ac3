/** An account of bytes that peers make this side keep, with a limit; those of one connection are also on the account of all. */
export class ByteBudget {
  readonly #limit: number;
  readonly #parent: ByteBudget | undefined;
  #held = 0;

  constructor(limit: number, parent?: ByteBudget) {
    this.#limit = limit;
    this.#parent = parent;
  }

  get held(): number {
    return this.#held;
  }

  /** False: it would be too many, and none are taken. */
  take(bytes: number): boolean {
    if (this.#held + bytes > this.#limit || this.#parent?.take(bytes) === false) return false;
    this.#held += bytes;
    return true;
  }

  release(bytes: number): void {
    this.#held -= bytes;
    this.#parent?.release(bytes);
  }
}

/**
 * A budget for the bytes that peers make this side keep. A connection's bytes also count against the parent budget of
 * its listener.
 */
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

  /** Takes `bytes` from the budget. Returns false, and takes nothing, if that exceeds the limit. */
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

/** The shards in which nothing new begins, until they are forgotten. */
export class FinishingShards {
  readonly #isUnderWay: (shard: number) => boolean;
  /** Each with the function to call when nothing is under way there. */
  readonly #finishing = new Map<number, () => void>();

  /** `isUnderWay`: whether something is under way in a shard. */
  constructor(isUnderWay: (shard: number) => boolean) {
    this.#isUnderWay = isUnderWay;
  }

  has(shard: number): boolean {
    return this.#finishing.has(shard);
  }

  /** Resolves when nothing is under way in the shard, or when it is forgotten. */
  finish(shard: number): Promise<void> {
    return new Promise((resolve) => {
      this.#finishing.set(shard, resolve);
      this.look(shard);
    });
  }

  /** Something has ended in a shard. */
  look(shard: number): void {
    const finished = this.#finishing.get(shard);
    if (finished !== undefined && !this.#isUnderWay(shard)) finished();
  }

  forget(shard: number): void {
    this.#finishing.get(shard)?.();
    this.#finishing.delete(shard);
  }
}

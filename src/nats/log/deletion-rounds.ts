/** Rounds under way at once. With more of them each has fewer messages, and costs the servers as much. */
const mostRounds = 4;

/** Bounds the rounds in which the readers of all shards delete what is settled. Shards that wait have their turns in order. */
export class DeletionRounds {
  readonly #waiting: (() => Promise<void>)[] = [];
  #underWay = 0;

  /** Runs a round, perhaps at once. It never rejects. */
  run(round: () => Promise<void>): void {
    this.#waiting.push(round);
    this.#serve();
  }

  #serve(): void {
    while (this.#underWay < mostRounds) {
      const round = this.#waiting.shift();
      if (round === undefined) return;
      this.#underWay += 1;
      void round().finally(() => {
        this.#underWay -= 1;
        this.#serve();
      });
    }
  }
}

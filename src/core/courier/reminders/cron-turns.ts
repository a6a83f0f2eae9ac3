import type { Clock, Timer } from "../../clock.ts";

/** Milliseconds of searches in one turn of the event loop, and how many times as long others have then. */
const searchMs = 10;
const restParts = 3;

/**
 * The turns of searches for the times of cron patterns, which may take long. A pattern that never comes takes some milliseconds, and so do
 * 1,000 missed ticks. Agent types take turns. All searches together take a quarter of the time.
 */
export class CronTurns {
  readonly #clock: Clock;
  readonly #waiting = new Map<string, (() => void)[]>();
  #spentMs = 0;
  #timer: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Runs a search: at once if there is time left. Rejects with what it throws. */
  run<T>(agentType: string, search: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const timed = (): void => {
        const fromMs = this.#clock.now();
        try {
          resolve(search());
        } catch (error) {
          reject(error);
        }
        this.#spentMs += this.#clock.now() - fromMs;
      };
      const ofType = this.#waiting.get(agentType);
      if (ofType !== undefined) ofType.push(timed);
      else if (this.#spentMs < searchMs) timed();
      else this.#waiting.set(agentType, [timed]);
      this.#plan();
    });
  }

  /** Runs a search in steps, each in a turn of its own. */
  async runSteps<T>(agentType: string, steps: Iterator<unknown, T>): Promise<T> {
    for (;;) {
      const step = await this.run(agentType, () => steps.next());
      if (step.done === true) return step.value;
    }
  }

  #plan(): void {
    if (this.#timer !== undefined && this.#spentMs < searchMs) return;
    if (this.#spentMs === 0 && this.#waiting.size === 0) return;
    this.#timer?.cancel();
    const restMs = this.#spentMs < searchMs ? 0 : restParts * this.#spentMs;
    this.#timer = this.#clock.setTimer(restMs, () => this.#onTurn(), { keepAlive: this.#waiting.size > 0 });
  }

  #onTurn(): void {
    this.#timer = undefined;
    this.#spentMs = 0;
    // A type with more searches is entered again behind the others, where this loop finds it.
    for (const [agentType, searches] of this.#waiting) {
      if (this.#spentMs >= searchMs) break;
      const [first, ...others] = searches;
      this.#waiting.delete(agentType);
      if (others.length > 0) this.#waiting.set(agentType, others);
      first?.();
    }
    this.#plan();
  }
}

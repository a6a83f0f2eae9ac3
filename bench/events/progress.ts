import { stalledAfterMs } from "./flow.ts";

/** Progress of the workers, as the publisher knows it. */
export class Progress {
  readonly #events: number[];
  #wake = () => {};

  constructor(workers: number) {
    this.#events = new Array<number>(workers).fill(0);
  }

  /** Records a worker's report of the events that its agents have received. */
  take(worker: number, events: number): void {
    this.#events[worker] = events;
    this.#wake();
  }

  /**
   * Resolves when every worker has received this many events. Rejects when no worker makes progress, because events
   * were lost.
   */
  async reached(events: number): Promise<void> {
    while (Math.min(...this.#events) < events) await this.#news(events);
  }

  #news(awaited: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const watch = setTimeout(() => {
        reject(new Error(`events were lost: ${awaited} are awaited, the workers tell of ${this.#events.join(", ")}`));
      }, stalledAfterMs);
      this.#wake = () => {
        clearTimeout(watch);
        resolve();
      };
    });
  }
}

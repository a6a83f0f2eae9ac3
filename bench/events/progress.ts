import { stalledAfterMs } from "./flow.ts";

/** What the publisher knows of how far its workers are. */
export class Progress {
  readonly #events: number[];
  #wake = () => {};

  constructor(workers: number) {
    this.#events = new Array<number>(workers).fill(0);
  }

  /** A worker tells that all its agents together have had so many events. */
  take(worker: number, events: number): void {
    this.#events[worker] = events;
    this.#wake();
  }

  /** Resolves when every worker has had so many events. Rejects when nobody gets anywhere any more: events were lost. */
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

import type { Clock } from "../../core/internal.ts";
import { IndexedSet } from "../../core/internal.ts";
import { atMost } from "../connection/time-limits.ts";

/** One handler that runs, or is parked. */
export interface Work {
  /** Its place among those that run. */
  workSlot: number;
  /** Its time is up: tell the handler, and answer for it where an answer is owed. */
  abandon(reason: Error): void;
}

/** The handlers that run at this moment, for `stop` to wait for. */
export class InFlight {
  readonly #works = new IndexedSet<"workSlot", Work>("workSlot");
  readonly #onIdle = new Set<() => void>();

  get size(): number {
    return this.#works.size;
  }

  add(work: Work): void {
    this.#works.add(work);
  }

  delete(work: Work): void {
    this.#works.delete(work);
    if (this.#works.size > 0) return;
    for (const resolve of this.#onIdle) resolve();
    this.#onIdle.clear();
  }

  /** Resolves when nothing runs any more, when the time is up, or when the signal aborts, whichever is first. */
  async idle(timeoutMs: number, clock: Clock, signal?: AbortSignal): Promise<void> {
    if (this.#works.size === 0) return;
    let isIdle = () => {};
    const idle = new Promise<void>((resolve) => {
      isIdle = resolve;
    });
    this.#onIdle.add(isIdle);
    await atMost(idle, timeoutMs, clock, signal);
    this.#onIdle.delete(isIdle);
  }

  /** Gives up what still runs. */
  abandon(reason: Error): void {
    for (const work of this.#works.all()) work.abandon(reason);
  }
}

import type { Clock } from "../core/index.ts";

/** One handler that runs. */
export interface Work {
  /** Its time is up: tell the handler, and answer for it where an answer is owed. */
  abandon(reason: Error): void;
}

/** The handlers that run at this moment, for `stop` to wait for. */
export class WorkInProgress {
  readonly #works = new Set<Work>();
  #onIdle: (() => void) | undefined;

  get size(): number {
    return this.#works.size;
  }

  add(work: Work): void {
    this.#works.add(work);
  }

  delete(work: Work): void {
    this.#works.delete(work);
    if (this.#works.size === 0) this.#onIdle?.();
  }

  /** Resolves when nothing runs any more, or when the time is up, whichever is first. */
  async idle(timeoutMs: number, clock: Clock): Promise<void> {
    if (this.#works.size === 0) return;
    await new Promise<void>((resolve) => {
      const timer = clock.setTimer(timeoutMs, resolve, { keepAlive: true });
      this.#onIdle = () => {
        timer.cancel();
        resolve();
      };
    });
    this.#onIdle = undefined;
  }

  /** Gives up what still runs. */
  abandon(reason: Error): void {
    for (const work of [...this.#works]) work.abandon(reason);
  }
}

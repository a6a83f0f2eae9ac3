import { setImmediate } from "node:timers/promises";

/** The longest body that is checked at once: that takes less than a millisecond. */
export const shortBytes = 64 * 1024;

/**
 * Checks of long bodies, one at a time. After each step of one the event loop has a turn, so that messages and other requests continue. Callers take turns, so that one with many long bodies keeps no other one waiting.
 */
export class LongChecks {
  /** The checks that wait, of each caller; the caller whose turn is next comes first. */
  readonly #waiting = new Map<string, (() => void)[]>();
  #isBusy = false;

  /** Runs a check in the caller's turn. `bytes`: of the body. Rejects as the check throws. */
  async run(caller: string, bytes: number, check: () => Iterable<void>): Promise<void> {
    if (bytes <= shortBytes) {
      for (const step of check()) void step;
      return;
    }
    if (this.#isBusy) await this.#turn(caller);
    this.#isBusy = true;
    try {
      for (const step of check()) await setImmediate(step);
    } finally {
      // The promise is settled first, so that what follows the check begins before the next one.
      void setImmediate().then(() => this.#next());
    }
  }

  #turn(caller: string): Promise<void> {
    return new Promise((resolve) => {
      const own = this.#waiting.get(caller) ?? [];
      own.push(resolve);
      this.#waiting.set(caller, own);
    });
  }

  #next(): void {
    for (const [caller, checks] of this.#waiting) {
      const begin = checks.shift();
      this.#waiting.delete(caller);
      if (checks.length > 0) this.#waiting.set(caller, checks);
      begin?.();
      return;
    }
    this.#isBusy = false;
  }
}

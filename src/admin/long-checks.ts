import { setImmediate } from "node:timers/promises";

/** Bodies up to so many bytes are checked at once: that takes less than a millisecond. */
const shortBytes = 64 * 1024;

/**
 * Checks of long bodies, one at a time. After each one the event loop has a turn, so that messages and other requests continue, and the memory of
 * one check is free before the next begins. Callers take turns, so that one with many long bodies keeps no other one waiting.
 */
export class LongChecks {
  /** The checks that wait, of each caller; the caller whose turn is next comes first. */
  readonly #waiting = new Map<string, (() => void)[]>();
  #isBusy = false;

  /** Runs a check of so many bytes in the caller's turn. Rejects as the check throws. */
  async run(caller: string, bytes: number, check: () => void): Promise<void> {
    if (bytes <= shortBytes) return check();
    if (this.#isBusy) await this.#turn(caller);
    this.#isBusy = true;
    try {
      check();
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

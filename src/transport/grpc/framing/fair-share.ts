/** How long the messages of one connection may keep the process busy before everybody else has a turn, in milliseconds. */
const SHARE_MS = 2;

/**
 * Divides the process between connections: one that sends without pause is read on only after the others were, so that
 * nobody waits for its flood to end.
 */
export class FairShare {
  #spentMs = 0;
  #waiting: (() => void)[] = [];

  /** Does a piece of work. True: the share is used up, and `wait` should come before the next piece. */
  spend(work: () => void): boolean {
    const beganMs = performance.now();
    work();
    this.#spentMs += performance.now() - beganMs;
    return this.#spentMs > SHARE_MS;
  }

  /** Calls back when the others have had their turn. */
  wait(goOn: () => void): void {
    this.#waiting.push(goOn);
    if (this.#waiting.length > 1) return;
    setImmediate(() => {
      const waiting = this.#waiting;
      this.#waiting = [];
      this.#spentMs = 0;
      for (const one of waiting) one();
    });
  }
}

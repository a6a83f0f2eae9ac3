import { nowMs, setImmediate } from "../../real-time.ts";

/** Processor time that one connection may use before the others are served, in milliseconds. */
const SHARE_MS = 2;

/** Shares the process between connections: a connection that sends continuously waits while the others are read. */
export class FairShare {
  #spentMs = 0;
  #waiting: (() => void)[] = [];

  /**
   * Runs `work` and measures it. Returns true when the share is used up; the caller should then `wait` before the next
   * piece.
   */
  spend(work: () => void): boolean {
    const beganMs = nowMs();
    work();
    this.#spentMs += nowMs() - beganMs;
    return this.#spentMs > SHARE_MS;
  }

  /** Calls back after the other connections were served. */
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

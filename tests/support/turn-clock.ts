import type { Clock, Timer } from "troupe";

/** A clock that stands still. Each `turn` runs the timers without delay that waited before it, so that a test can count turns. */
export class TurnClock implements Clock {
  #waiting = new Set<() => void>();

  now(): number {
    return 0;
  }

  wallNow(): number {
    return 0;
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const own = () => callback();
    if (delayMs <= 0) this.#waiting.add(own);
    return { cancel: () => void this.#waiting.delete(own) };
  }

  /** Runs one turn. False: nothing waited. */
  turn(): boolean {
    const callbacks = [...this.#waiting];
    for (const callback of callbacks) if (this.#waiting.delete(callback)) callback();
    return callbacks.length > 0;
  }

  /** Runs turns until nothing waits, and returns how many. */
  turns(): number {
    let count = 0;
    while (this.turn()) count += 1;
    return count;
  }
}

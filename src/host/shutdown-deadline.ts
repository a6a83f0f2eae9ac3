import { type Clock, longestTimerMs, type Timer } from "../core/internal.ts";

/**
 * The deadline of an ending. It can be shortened, but not prolonged. It keeps the process alive until it has passed or is done. Without it
 * Node would end a program whose stop waits for something else than an open socket.
 */
export class ShutdownDeadline {
  /** Resolves when the deadline has passed; never after `done()`. */
  readonly over: Promise<void>;
  readonly #clock: Clock;
  #dueMs = Number.POSITIVE_INFINITY;
  #timer: Timer | undefined;
  #isDone = false;
  #end: () => void = () => {};

  /** `graceMs`: milliseconds from now on; `Infinity` for no deadline. */
  constructor(clock: Clock, graceMs: number) {
    this.#clock = clock;
    this.over = new Promise((resolve) => {
      this.#end = resolve;
    });
    this.#dueMs = clock.now() + graceMs;
    this.#wait(graceMs);
  }

  get leftMs(): number {
    return Math.max(0, this.#dueMs - this.#clock.now());
  }

  /** From now on at most so many milliseconds are left. Changes nothing after `done()`. */
  shorten(graceMs: number): void {
    const dueMs = this.#clock.now() + graceMs;
    if (this.#isDone || dueMs >= this.#dueMs) return;
    this.#dueMs = dueMs;
    this.#timer?.cancel();
    this.#wait(graceMs);
  }

  /** Stops the timer: nothing waits any more. */
  done(): void {
    this.#isDone = true;
    this.#timer?.cancel();
  }

  /** A deadline beyond Node's longest timer takes several timers. */
  #wait(ms: number): void {
    const onTimer = ms > longestTimerMs ? () => this.#wait(this.leftMs) : this.#end;
    this.#timer = this.#clock.setTimer(Math.min(ms, longestTimerMs), onTimer, { keepAlive: true });
  }
}

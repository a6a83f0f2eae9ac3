import {
  assertArgument,
  assertOptions,
  type Clock,
  clock as clockKind,
  longestTimerMs,
  number,
  optionShape,
  type Timer,
} from "../../core/internal.ts";

/** Options of a `ProcessClock`. */
export interface ProcessClockOptions {
  /** By how much the clock is faster than that of the simulation. Default: 1, the same speed. */
  readonly rate?: number | undefined;
}

interface Held {
  readonly callback: () => void;
  isCancelled: boolean;
}

const shape = optionShape<ProcessClockOptions>({ rate: number({ from: 0.01 }) });

/**
 * The clock of one process in a simulation. It may be too fast or too slow, and its wall clock may be set. A process that is paused runs
 * nothing, while time passes: what was due runs in its order after `resume`. A killed one never runs anything again.
 */
export class ProcessClock implements Clock {
  readonly #clock: Clock;
  readonly #rate: number;
  readonly #timers = new Set<Timer>();
  #held: Held[] = [];
  #wallAheadMs = 0;
  #isPaused = false;
  #isAlive = true;

  /** Throws `invalid-argument` for unknown options and for values of a wrong kind. */
  constructor(clock: Clock, options: ProcessClockOptions = {}) {
    assertArgument(clock, "The clock of a simulation", clockKind);
    assertOptions(options, shape, "ProcessClock");
    this.#clock = clock;
    this.#rate = options.rate ?? 1;
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Number of timers that have neither run nor been cancelled. */
  get pendingTimers(): number {
    return this.#timers.size + this.#held.filter(({ isCancelled }) => !isCancelled).length;
  }

  now(): number {
    return this.#clock.now() * this.#rate;
  }

  wallNow(): number {
    return this.now() + this.#wallAheadMs;
  }

  /** Sets the wall clock forward, or back by a negative number of milliseconds. */
  setWallForward(byMs: number): void {
    this.#wallAheadMs += byMs;
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    if (!this.#isAlive || delayMs > longestTimerMs) return { cancel: () => undefined };
    const held: Held = { callback, isCancelled: false };
    const inner = this.#clock.setTimer(Math.max(0, delayMs) / this.#rate, () => {
      this.#timers.delete(timer);
      if (held.isCancelled) return;
      if (this.#isPaused) this.#held.push(held);
      else callback();
    });
    const timer: Timer = {
      cancel: () => {
        held.isCancelled = true;
        this.#timers.delete(timer);
        inner.cancel();
      },
    };
    this.#timers.add(timer);
    return timer;
  }

  /** Runs nothing until `resume`. */
  pause(): void {
    this.#isPaused = true;
  }

  /** Runs what was due meanwhile, one after the other. */
  resume(): void {
    if (!this.#isPaused || !this.#isAlive) return;
    this.#isPaused = false;
    const held = this.#held;
    this.#held = [];
    this.#runNext(held);
  }

  /** Runs nothing any more. */
  kill(): void {
    this.#isAlive = false;
    for (const timer of [...this.#timers]) timer.cancel();
    this.#held = [];
  }

  /** Each in a step of its own, as timers run. */
  #runNext(held: Held[]): void {
    const next = held.shift();
    if (next === undefined || !this.#isAlive) return;
    this.#clock.setTimer(0, () => {
      if (this.#isPaused) {
        this.#held = [next, ...held, ...this.#held];
        return;
      }
      if (!next.isCancelled && this.#isAlive) next.callback();
      this.#runNext(held);
    });
  }
}

import type { Clock } from "../core/internal.ts";

/** Milliseconds by which the wall clock may fall behind before it counts as set back. Rounding and slow correction stay below. */
const noticedSetBackMs = 20;

/**
 * The time that has passed on this machine: the larger of what the monotonic clock and the wall clock have advanced. It never decreases.
 * The monotonic clock stands still while a machine is suspended. A wall clock that is set forward makes time pass; one that is set back
 * changes nothing.
 */
export class ElapsedTime {
  readonly #clock: Clock;
  /** By how much the wall clock is ahead of the monotonic one, since it was last set back. */
  #lead: number;
  /** The rise of the lead since then, and what had been counted before. */
  #risen = 0;
  #before = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#lead = clock.wallNow() - clock.now();
  }

  /** Milliseconds. Only differences mean something. */
  now(): number {
    const monotonic = this.#clock.now();
    const lead = this.#clock.wallNow() - monotonic;
    const risen = lead - this.#lead;
    if (risen > this.#risen) {
      this.#risen = risen;
    } else if (risen < this.#risen - noticedSetBackMs) {
      this.#before += this.#risen;
      this.#risen = 0;
      this.#lead = lead;
    }
    return monotonic + this.#before + this.#risen;
  }
}

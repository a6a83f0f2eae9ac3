import type { Clock } from "../../clock.ts";
import type { ReminderTick, StateStore } from "../../state/state-store.ts";

/** The parts of `TickSettling`. */
export interface TickSettlingParts {
  readonly store: Pick<StateStore, "settle">;
  readonly clock: Clock;
  readonly onFailure: (error: unknown) => void;
}

interface Waiting {
  readonly tick: ReminderTick;
  readonly resolve: () => void;
}

/** Ticks that are written together. */
const mostTogether = 256;
/** The store is asked again so long after a failure. */
export const storeRetryMs = 2_000;

/**
 * Writes that ticks are over. While the store writes some, the next ones gather, and are then written together. What a store can't write
 * is tried again in two halves, so that one tick does not keep back the others.
 */
export class TickSettling {
  readonly #parts: TickSettlingParts;
  #waiting: Waiting[] = [];
  #isWriting = false;
  #isStopped = false;

  constructor(parts: TickSettlingParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#isStopped = false;
  }

  /** Ticks that wait are not written any more. */
  stop(): void {
    this.#isStopped = true;
  }

  /** Resolves when the tick is written, or when the settling is stopped. Never rejects. */
  settle(tick: ReminderTick): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ tick, resolve });
      if (!this.#isWriting) void this.#writeAll();
    });
  }

  async #writeAll(): Promise<void> {
    this.#isWriting = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.slice(0, mostTogether);
      this.#waiting = this.#waiting.slice(mostTogether);
      if (!(await this.#write(batch))) void this.#again(batch);
    }
    this.#isWriting = false;
  }

  /** False: the store has failed. */
  async #write(batch: readonly Waiting[]): Promise<boolean> {
    try {
      if (!this.#isStopped) await this.#parts.store.settle({ ticks: batch.map(({ tick }) => tick), mail: [] });
    } catch (error) {
      this.#parts.onFailure(error);
      if (!this.#isStopped) return false;
    }
    for (const { resolve } of batch) resolve();
    return true;
  }

  async #again(batch: readonly Waiting[]): Promise<void> {
    await new Promise<void>((resolve) => this.#parts.clock.setTimer(storeRetryMs, resolve));
    const middle = Math.ceil(batch.length / 2);
    for (const half of [batch.slice(0, middle), batch.slice(middle)]) {
      if (half.length > 0 && !(await this.#write(half))) void this.#again(half);
    }
  }
}

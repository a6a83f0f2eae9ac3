import type { Clock, Timer } from "../../clock.ts";
import type { Delivery } from "../layers.ts";

/** Hears of calls that wait long for their turn. */
export interface WaitReports {
  /** The call has waited long for these running turns. Called again when others are to be waited for. */
  report(delivery: Delivery, behind: readonly string[]): void;
  /** The call does not wait for the turns any more that were reported last. */
  withdraw(delivery: Delivery): void;
}

export interface LongWaitsOptions {
  readonly clock: Clock;
  /** Milliseconds for which a call must have waited for a turn that has run as long. */
  readonly afterMs: number;
  readonly reports: WaitReports;
}

/** A message that waits for its turn, or has it. */
export interface WatchedTurn {
  readonly delivery: Delivery;
  readonly token: string;
  readonly hasPath: boolean;
  /** When a review first saw it wait or, once it has begun, run. */
  seenMs: number | undefined;
}

/** The turns of one agent, as the watch reads them. */
export interface WatchedQueue {
  /** Whether a call waits for which turns wait. */
  readonly hasWaitingPath: boolean;
  /** Returns the turns that wait, in their order, with the running turns that must end first. */
  waits(): Iterable<{ readonly turn: WatchedTurn; readonly behind: readonly WatchedTurn[] }>;
}

/** Reports of one queue at once. */
const mostReports = 100;

/**
 * Watches calls that wait for their turn while other turns wait for them, and reports those that have waited long. Only a turn that has run
 * for the same time counts, so that a busy agent whose turns are short reports nothing. A timer runs while there are waits that may become
 * long. Other turns cost nothing.
 */
export class LongWaits {
  readonly #options: LongWaitsOptions;
  /** The reports of each queue. */
  readonly #told = new Map<WatchedQueue, Told>();
  /** Queues with waits that are not long yet. */
  readonly #young = new Set<WatchedQueue>();
  #timer: Timer | undefined;

  constructor(options: LongWaitsOptions) {
    this.#options = options;
  }

  /** Takes note that a turn of the queue has begun or ended, or that a message has begun to wait. */
  changed(queue: WatchedQueue): void {
    const isTold = this.#told.has(queue);
    if (!isTold && !queue.hasWaitingPath) return;
    if (isTold) this.#review(queue);
    if (!queue.hasWaitingPath) return;
    this.#young.add(queue);
    this.#arm();
  }

  /** The runtime has given up all that waited: ends the watch of its queues, and tells nothing. Later changes begin another one. */
  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#young.clear();
    this.#told.clear();
  }

  #arm(): void {
    if (this.#timer !== undefined) return;
    const { clock, afterMs } = this.#options;
    // Without the timer a process whose agents wait for each other would have nothing to do, and exit.
    this.#timer = clock.setTimer(Math.ceil(afterMs / 2), () => this.#sweep(), { keepAlive: true });
  }

  #sweep(): void {
    this.#timer = undefined;
    for (const queue of [...this.#young]) if (!this.#review(queue)) this.#young.delete(queue);
    if (this.#young.size > 0) this.#arm();
  }

  /** Reports what has changed. Returns whether there are waits that are not long yet. */
  #review(queue: WatchedQueue): boolean {
    const nowMs = this.#options.clock.now();
    const wanted = new Map<WatchedTurn, readonly string[]>();
    let isYoung = false;
    for (const { turn, behind } of queue.waits()) {
      if (!turn.hasPath) continue;
      const long = behind.filter((running) => this.#isLong(turn, running, nowMs));
      if (long.length < behind.length) isYoung = true;
      if (long.length > 0)
        wanted.set(
          turn,
          long.map(({ token }) => token),
        );
      if (wanted.size === mostReports) break;
    }
    this.#tell(queue, wanted);
    return isYoung;
  }

  #isLong(waiting: WatchedTurn, running: WatchedTurn, nowMs: number): boolean {
    waiting.seenMs ??= nowMs;
    running.seenMs ??= nowMs;
    return nowMs - Math.max(waiting.seenMs, running.seenMs) >= this.#options.afterMs;
  }

  #tell(queue: WatchedQueue, wanted: ReadonlyMap<WatchedTurn, readonly string[]>): void {
    const { reports } = this.#options;
    const told: Told = this.#told.get(queue) ?? { turns: new Map(), reviews: 0 };
    told.reviews += 1;
    const { reviews } = told;
    this.#told.set(queue, told);
    for (const turn of [...told.turns.keys()]) {
      if (wanted.has(turn)) continue;
      told.turns.delete(turn);
      reports.withdraw(turn.delivery);
    }
    for (const [turn, behind] of wanted) {
      if (isSame(told.turns.get(turn), behind)) continue;
      told.turns.set(turn, behind);
      reports.report(turn.delivery, behind);
      // The report may have ended a call. Then another review came, and has told the rest.
      if (told.reviews !== reviews) return;
    }
    if (told.turns.size === 0) this.#told.delete(queue);
  }
}

/** The reports of one queue: its calls, and the turns that each waits for. */
interface Told {
  readonly turns: Map<WatchedTurn, readonly string[]>;
  reviews: number;
}

function isSame(one: readonly string[] | undefined, other: readonly string[]): boolean {
  return one?.length === other.length && one.every((token, at) => token === other[at]);
}

import type { Clock } from "../../clock.ts";
import { Deadline } from "../../scope/deadline.ts";
import { type DeadlineQueue, deadlineQueueOf, type Expiring, nowhere } from "../calls/deadline-queue.ts";

/** Ends a stream in which no chunk has come or was read for some time. A chunk costs it one look at the clock. */
export class IdleLimit implements Expiring {
  dueMs = 0;
  dueOrder = 0;
  duePlace: number = nowhere;
  duePrevious: Expiring | undefined;
  dueNext: Expiring | undefined;
  readonly #clock: Clock;
  readonly #idleMs: number;
  readonly #onIdle: () => void;
  readonly #queue: DeadlineQueue;
  #movedMs: number;

  constructor(clock: Clock, idleMs: number, onIdle: () => void) {
    this.#clock = clock;
    this.#idleMs = idleMs;
    this.#onIdle = onIdle;
    this.#queue = deadlineQueueOf(clock);
    this.#movedMs = clock.now();
    this.#wait();
  }

  get keepsProcessAlive(): boolean {
    return true;
  }

  /** A chunk has come, or was read. */
  moved(): void {
    this.#movedMs = this.#clock.now();
  }

  /** Called by the deadline queue. */
  onDue(): void {
    if (this.#clock.now() < this.#movedMs + this.#idleMs) this.#wait();
    else this.#onIdle();
  }

  /** The call has its outcome. Twice is fine. */
  end(): void {
    this.#queue.remove(this);
  }

  #wait(): void {
    this.#queue.add(this, new Deadline(this.#movedMs + this.#idleMs, this.#clock));
  }
}

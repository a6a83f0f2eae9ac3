import type { Clock, Timer } from "../../core/internal.ts";
import { holderShare } from "../cluster-times.ts";
import { ElapsedTime } from "../elapsed-time.ts";

/** Requests whose answers may still count. */
const mostRequests = 16;

/**
 * The lease of a worker, as the worker has it. It starts a turn of an agent only while it holds its lease: this is the last check before
 * a handler runs. The worker asks again and again, and counts each lease from when it asked.
 */
export class WorkerLease {
  readonly #clock: Clock;
  readonly #time: ElapsedTime;
  /** When each request was sent, by its number. */
  readonly #sentMs = new Map<number, number>();
  readonly #waiting = new Set<() => void>();
  #last = 0;
  #endsMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#time = new ElapsedTime(clock);
  }

  /** Whether a turn may start now. Asked in the same turn of the event loop in which it starts. */
  get isHeld(): boolean {
    return this.#time.now() < this.#endsMs;
  }

  /** Begins a request; returns the number that goes with it. */
  request(): number {
    this.#last += 1;
    this.#sentMs.set(this.#last, this.#time.now());
    this.#sentMs.delete(this.#last - mostRequests);
    return this.#last;
  }

  /** Takes the answer to a request. Answers to requests of an earlier session are ignored. */
  granted(request: number, leaseMs: number): void {
    const sentMs = this.#sentMs.get(request);
    if (sentMs === undefined) return;
    for (const earlier of this.#sentMs.keys()) if (earlier <= request) this.#sentMs.delete(earlier);
    this.#endsMs = Math.max(this.#endsMs, sentMs + leaseMs * holderShare);
    if (!this.isHeld) return;
    for (const resume of [...this.#waiting]) resume();
  }

  /** Ends the lease: the worker has another connection, or is void. What was granted before does not count for it. */
  end(): void {
    this.#sentMs.clear();
    this.#endsMs = Number.NEGATIVE_INFINITY;
  }

  /** Resolves to true when the lease is held, and to false after so many milliseconds. */
  whenHeld(timeoutMs: number): Promise<boolean> {
    if (this.isHeld) return Promise.resolve(true);
    return new Promise((resolve) => {
      let timer: Timer | undefined;
      const settle = () => {
        timer?.cancel();
        this.#waiting.delete(settle);
        resolve(this.isHeld);
      };
      timer = this.#clock.setTimer(timeoutMs, settle);
      this.#waiting.add(settle);
    });
  }
}

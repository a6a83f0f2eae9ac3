/** A message whose handler has to wait for a slot. */
export interface Parked {
  readonly bytes: number;
  /** A slot is free: begins the handler. */
  readonly run: () => void;
}

export interface ConcurrencyLimiterOptions {
  readonly maxConcurrentHandlers: number;
  readonly maxParkedMessages: number;
  readonly maxParkedBytes: number;
  /** More or less is parked. */
  readonly onChange: () => void;
}

/** Bounds how many handlers run at the same time: further messages are parked, in order, up to a bound (W23). */
export class ConcurrencyLimiter {
  readonly #options: ConcurrencyLimiterOptions;
  readonly #parked = new Set<Parked>();
  #parkedBytes = 0;
  #running = 0;
  #isReleasing = false;

  constructor(options: ConcurrencyLimiterOptions) {
    this.#options = options;
  }

  get runningCount(): number {
    return this.#running;
  }

  get parkedCount(): number {
    return this.#parked.size;
  }

  get hasFree(): boolean {
    return this.#running < this.#options.maxConcurrentHandlers;
  }

  /** Half of what may be parked is: better not to read on. */
  get isCrowded(): boolean {
    const { maxParkedMessages, maxParkedBytes } = this.#options;
    return !this.hasFree && (2 * this.#parked.size >= maxParkedMessages || 2 * this.#parkedBytes >= maxParkedBytes);
  }

  /** Nothing more can be parked. */
  get isFull(): boolean {
    const { maxParkedMessages, maxParkedBytes } = this.#options;
    return !this.hasFree && (this.#parked.size >= maxParkedMessages || this.#parkedBytes >= maxParkedBytes);
  }

  /** A handler begins, with a free slot or, if it must not wait, without. */
  begin(): void {
    this.#running += 1;
  }

  /** A handler that began has ended; the next begins. */
  end(): void {
    this.#running -= 1;
    // One that answers at once ends within `run`: the loop that started it goes on, however many are parked.
    if (this.#isReleasing) return;
    this.#isReleasing = true;
    try {
      for (const parked of this.#parked) {
        if (!this.hasFree) return;
        this.withdraw(parked);
        parked.run();
      }
    } finally {
      this.#isReleasing = false;
    }
  }

  park(parked: Parked): void {
    this.#parked.add(parked);
    this.#parkedBytes += parked.bytes;
    this.#options.onChange();
  }

  /** Takes one back that is still parked; false: it runs, or has run. */
  withdraw(parked: Parked): boolean {
    if (!this.#parked.delete(parked)) return false;
    this.#parkedBytes -= parked.bytes;
    this.#options.onChange();
    return true;
  }
}

/** A message whose handler waits for a slot. */
export interface Parked {
  readonly bytes: number;
  /** Begins the handler; called when a slot is free. */
  readonly run: () => void;
}

export interface ConcurrencyLimiterOptions {
  readonly maxConcurrentHandlers: number;
  readonly maxParkedMessages: number;
  readonly maxParkedBytes: number;
  /** Called when the amount of parked messages has changed. */
  readonly onChange: () => void;
}

/** Limits the number of handlers that run at the same time. It parks further messages in order, up to a bound. */
// protocol.md W23
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

  /** Whether half of the bound is parked; the worker should stop reading then. */
  get isCrowded(): boolean {
    const { maxParkedMessages, maxParkedBytes } = this.#options;
    return !this.hasFree && (2 * this.#parked.size >= maxParkedMessages || 2 * this.#parkedBytes >= maxParkedBytes);
  }

  /** Whether the limiter can park nothing more. */
  get isFull(): boolean {
    const { maxParkedMessages, maxParkedBytes } = this.#options;
    return !this.hasFree && (this.#parked.size >= maxParkedMessages || this.#parkedBytes >= maxParkedBytes);
  }

  /** Counts a handler that begins. It has a free slot, or none if it must not wait. */
  begin(): void {
    this.#running += 1;
  }

  /** Ends the count of a handler and begins the next ones. */
  end(): void {
    const wasCrowded = this.isCrowded;
    this.#running -= 1;
    // A handler that answers at once ends within `run`. The loop that started it begins the next one, without recursion.
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
    // With a bound of 0 nothing was parked whose start would tell that there is room.
    if (wasCrowded && !this.isCrowded) this.#options.onChange();
  }

  /** Frees every slot, because the worker has given up the handlers that hold them. Nothing may be parked. */
  reset(): void {
    this.#running = 0;
  }

  park(parked: Parked): void {
    this.#parked.add(parked);
    this.#parkedBytes += parked.bytes;
    this.#options.onChange();
  }

  /** Removes a parked message. Returns false when its handler runs or has run. */
  withdraw(parked: Parked): boolean {
    if (!this.#parked.delete(parked)) return false;
    this.#parkedBytes -= parked.bytes;
    this.#options.onChange();
    return true;
  }
}

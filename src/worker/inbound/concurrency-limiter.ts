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

/**
 * Limits the number of handlers that run at the same time. It parks further messages in order, up to a bound. Messages that wait
 * for their turn at a sequential agent count as parked, although they are kept elsewhere.
 */
// protocol.md W23
export class ConcurrencyLimiter {
  readonly #options: ConcurrencyLimiterOptions;
  readonly #parked = new Set<Parked>();
  /** Parked messages that go before the others, since they have waited for their turn already. */
  readonly #first = new Set<Parked>();
  #parkedBytes = 0;
  #waiting = 0;
  #waitingBytes = 0;
  #running = 0;
  #isReleasePlanned = false;

  constructor(options: ConcurrencyLimiterOptions) {
    this.#options = options;
  }

  get runningCount(): number {
    return this.#running;
  }

  get parkedCount(): number {
    return this.#parked.size + this.#first.size + this.#waiting;
  }

  /** Whether a message may begin now. It may not while others are parked, which begin before it. */
  get hasFree(): boolean {
    return this.#hasSlot && this.#parked.size === 0 && this.#first.size === 0;
  }

  get #hasSlot(): boolean {
    return this.#running < this.#options.maxConcurrentHandlers;
  }

  /** Whether half of the bound is parked; the worker should stop reading then. */
  get isCrowded(): boolean {
    return this.#hasAtLeast(0.5);
  }

  /** Whether the limiter can park nothing more. */
  get isFull(): boolean {
    return this.#hasAtLeast(1);
  }

  /** Whether this share of the bound is reached. Without a bound of handlers each agent's own bound counts alone. */
  #hasAtLeast(share: number): boolean {
    const { maxParkedMessages, maxParkedBytes, maxConcurrentHandlers } = this.#options;
    if (maxConcurrentHandlers === Number.POSITIVE_INFINITY || (this.#hasSlot && this.#waiting === 0)) return false;
    const bytes = this.#parkedBytes + this.#waitingBytes;
    return this.parkedCount >= share * maxParkedMessages || bytes >= share * maxParkedBytes;
  }

  /** Counts a handler that begins. It has a free slot, or none if it must not wait. */
  begin(): void {
    this.#running += 1;
  }

  /** Ends the count of a handler. The next ones begin in a microtask. */
  end(): void {
    const wasCrowded = this.isCrowded;
    this.#running -= 1;
    if (this.#parked.size > 0 || this.#first.size > 0) this.#planRelease();
    // With a bound of 0 nothing was parked whose start would tell that there is room.
    else if (wasCrowded && !this.isCrowded) this.#options.onChange();
  }

  /**
   * Begins parked messages behind the microtasks that are due. Messages that have begun may wait there for an agent that was just
   * made: they reach it before those that find it made.
   */
  #planRelease(): void {
    if (this.#isReleasePlanned) return;
    this.#isReleasePlanned = true;
    queueMicrotask(() => {
      try {
        // A handler that answers at once ends within `run`. This loop begins the next one, without recursion.
        this.#beginThose(this.#first);
        this.#beginThose(this.#parked);
      } finally {
        this.#isReleasePlanned = false;
      }
    });
  }

  #beginThose(waiting: ReadonlySet<Parked>): void {
    for (const parked of waiting) {
      if (!this.#hasSlot) return;
      this.withdraw(parked);
      parked.run();
      // Those whose turn began meanwhile go before the others.
      if (waiting !== this.#first && this.#first.size > 0) this.#beginThose(this.#first);
    }
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

  /** Parks a message whose turn has begun, before all that have not waited yet. */
  parkFirst(parked: Parked): void {
    this.#first.add(parked);
    this.#parkedBytes += parked.bytes;
    this.#options.onChange();
  }

  /** Counts a message that waits for its turn and holds no slot. */
  addWaiting(bytes: number): void {
    this.#waiting += 1;
    this.#waitingBytes += bytes;
    this.#options.onChange();
  }

  removeWaiting(bytes: number): void {
    this.#waiting -= 1;
    this.#waitingBytes -= bytes;
    this.#options.onChange();
  }

  /** Removes a parked message. Returns false when its handler runs or has run. */
  withdraw(parked: Parked): boolean {
    if (!this.#parked.delete(parked) && !this.#first.delete(parked)) return false;
    this.#parkedBytes -= parked.bytes;
    this.#options.onChange();
    return true;
  }
}

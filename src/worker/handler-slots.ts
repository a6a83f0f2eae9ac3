/** A message whose handler is to run. */
export interface Intake {
  readonly bytes: number;
  /** Whether it must not wait: whoever holds a slot may be waiting for it. */
  readonly isUrgent: boolean;
  /** Runs the handler; never rejects. */
  run(): Promise<void>;
}

export interface HandlerSlotsOptions {
  readonly maxConcurrentHandlers: number;
  readonly maxParkedMessages: number;
  readonly maxParkedBytes: number;
  /** The crowd has become larger or smaller. */
  readonly onChange: () => void;
}

/** Bounds how many handlers run at the same time: further messages are parked, in order, up to a bound (W23). */
export class HandlerSlots {
  readonly #options: HandlerSlotsOptions;
  readonly #parked = new Set<Intake>();
  #parkedBytes = 0;
  #running = 0;

  constructor(options: HandlerSlotsOptions) {
    this.#options = options;
  }

  get runningCount(): number {
    return this.#running;
  }

  get parkedCount(): number {
    return this.#parked.size;
  }

  /** Half of what may be parked is: better not to read on. */
  get isCrowded(): boolean {
    const { maxParkedMessages, maxParkedBytes } = this.#options;
    return this.#isSaturated && (2 * this.#parked.size >= maxParkedMessages || 2 * this.#parkedBytes >= maxParkedBytes);
  }

  /** Nothing more can be parked. */
  get isFull(): boolean {
    const { maxParkedMessages, maxParkedBytes } = this.#options;
    return this.#isSaturated && (this.#parked.size >= maxParkedMessages || this.#parkedBytes >= maxParkedBytes);
  }

  /** Runs it now or, when all slots are taken, later. */
  take(intake: Intake): void {
    if (intake.isUrgent || !this.#isSaturated) {
      void this.#run(intake);
      return;
    }
    this.#parked.add(intake);
    this.#parkedBytes += intake.bytes;
    this.#options.onChange();
  }

  /** Takes one back that is still parked; false: it runs, or has run. */
  withdraw(intake: Intake): boolean {
    if (!this.#parked.delete(intake)) return false;
    this.#parkedBytes -= intake.bytes;
    this.#options.onChange();
    return true;
  }

  get #isSaturated(): boolean {
    return this.#running >= this.#options.maxConcurrentHandlers;
  }

  async #run(intake: Intake): Promise<void> {
    this.#running += 1;
    try {
      await intake.run();
    } finally {
      this.#running -= 1;
      this.#runParked();
    }
  }

  #runParked(): void {
    for (const intake of this.#parked) {
      if (this.#isSaturated) return;
      this.withdraw(intake);
      void this.#run(intake);
    }
  }
}

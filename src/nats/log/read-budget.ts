/** A part of the budget that a pull may use. */
export interface Reservation {
  readonly messages: number;
  /** Undefined: one message of any length. */
  readonly bytes: number | undefined;
  /** Gives it back. Twice is fine. */
  release(): void;
}

/** The most that readers have at once, and that one pull asks for. */
export interface BudgetBounds {
  readonly messages: number;
  readonly bytes: number;
  readonly pullMessages: number;
  readonly pullBytes: number;
}

export const defaultBudget: BudgetBounds = {
  messages: 1_000,
  bytes: 16 * 1024 * 1024,
  pullMessages: 64,
  pullBytes: 512 * 1024,
};

interface Waiting {
  readonly isLarge: boolean;
  readonly begin: (reservation: Reservation) => void;
}

/**
 * Bounds what the readers of all shards have and have not settled. A pull begins when they have less than that; each shard has one pull under
 * way, so that the rest of these is bounded, too. Shards that wait have their turns in order, and one message longer than a pull is read at a
 * time.
 */
export class ReadBudget {
  readonly #bounds: BudgetBounds;
  readonly #waiting: Waiting[] = [];
  #messages = 0;
  #bytes = 0;
  #isLargeUnderWay = false;

  constructor(bounds: BudgetBounds = defaultBudget) {
    this.#bounds = bounds;
  }

  /** Calls `begin`, perhaps at once, when a pull may ask. `isLarge`: for one message that is longer than a pull. Returns what ends the waiting. */
  reserve(isLarge: boolean, begin: (reservation: Reservation) => void): () => void {
    const waiting: Waiting = { isLarge, begin };
    this.#waiting.push(waiting);
    this.#serve();
    return () => {
      const at = this.#waiting.indexOf(waiting);
      if (at >= 0) this.#waiting.splice(at, 1);
    };
  }

  /** A reader has got a message. */
  add(bytes: number): void {
    this.#messages += 1;
    this.#bytes += bytes;
  }

  /** A reader has a message no more. */
  remove(bytes: number): void {
    this.#messages -= 1;
    this.#bytes -= bytes;
    this.#serve();
  }

  #serve(): void {
    for (;;) {
      const { messages, bytes, pullMessages, pullBytes } = this.#bounds;
      if (this.#messages >= messages || this.#bytes >= bytes) return;
      const at = this.#waiting.findIndex(({ isLarge }) => !isLarge || !this.#isLargeUnderWay);
      const next = at < 0 ? undefined : this.#waiting.splice(at, 1)[0];
      if (next === undefined) return;
      if (next.isLarge) next.begin(this.#large());
      else {
        const most = Math.min(pullMessages, messages - this.#messages);
        next.begin({ messages: most, bytes: Math.min(pullBytes, bytes - this.#bytes), release: () => undefined });
      }
    }
  }

  #large(): Reservation {
    this.#isLargeUnderWay = true;
    let isHeld = true;
    return {
      ...{ messages: 1, bytes: undefined },
      release: () => {
        if (!isHeld) return;
        isHeld = false;
        this.#isLargeUnderWay = false;
        this.#serve();
      },
    };
  }
}

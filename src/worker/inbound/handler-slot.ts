import type { TurnSlot } from "../../core/internal.ts";
import type { ConcurrencyLimiter, Parked } from "./concurrency-limiter.ts";

type SlotState = "held" | "waits for its turn" | "waits for a slot" | "none";

/** The handler slot of a message to a sequential agent. The message holds it but while it waits for its turn. */
export class HandlerSlot implements TurnSlot {
  readonly bytes: number;
  readonly #limiter: ConcurrencyLimiter;
  #isUrgent: boolean;
  #state: SlotState = "held";
  #run: () => void = () => undefined;
  /** The slot is given up as soon as the messages before the next parked one have reached the agent, which may just be made. */
  #isLeaving = false;
  readonly #parked: Parked;

  /** The message has begun at the limiter. */
  constructor(limiter: ConcurrencyLimiter, bytes: number, isUrgent: boolean) {
    this.#limiter = limiter;
    this.bytes = bytes;
    this.#isUrgent = isUrgent;
    this.#parked = { bytes, run: () => this.#begin() };
  }

  get isUrgent(): boolean {
    return this.#isUrgent;
  }

  leave(): void {
    this.#state = "waits for its turn";
    this.#limiter.addWaiting(this.bytes);
    this.#isLeaving = true;
    queueMicrotask(() => this.#left());
  }

  take(run: () => void): void {
    this.#run = run;
    this.#limiter.removeWaiting(this.bytes);
    if (this.#isUrgent || this.#limiter.hasFree) return this.#begin();
    this.#state = "waits for a slot";
    this.#limiter.parkFirst(this.#parked);
  }

  hurry(): void {
    this.#isUrgent = true;
    if (this.#state === "waits for a slot" && this.#limiter.withdraw(this.#parked)) this.#begin();
  }

  end(): void {
    const before = this.#state;
    this.#state = "none";
    this.#left();
    switch (before) {
      case "held":
        this.#limiter.end();
        return;
      case "waits for its turn":
        this.#limiter.removeWaiting(this.bytes);
        return;
      case "waits for a slot":
        this.#limiter.withdraw(this.#parked);
        return;
      case "none":
    }
  }

  #left(): void {
    if (!this.#isLeaving) return;
    this.#isLeaving = false;
    this.#limiter.end();
  }

  #begin(): void {
    this.#state = "held";
    this.#limiter.begin();
    this.#run();
  }
}

/**
 * Runs a step once for each `add`, one after the other and in their order. Each step runs in the async context of the code that
 * called `add`. What that code keeps in an AsyncLocalStorage, or its active span, is there for the step. A promise continuation
 * keeps the context, so that nothing of Node is needed. A turn costs one promise.
 */
export class SenderTurns {
  readonly #step: () => void | Promise<void>;
  #last: Promise<void> = Promise.resolve();
  /** The number of turns that may be taken. Infinity: all that come. */
  #allowed = 0;
  /** The number of turns that wait or are being taken. */
  #count = 0;
  #gate: Promise<void> | undefined;
  #openGate: (() => void) | undefined;

  /** The next step waits for the promise that a step returns. A step must not throw or reject. */
  constructor(step: () => void | Promise<void>) {
    this.#step = step;
  }

  /** Whether a step runs or is about to run. What comes behind it in the queue then needs no turn of its own. */
  get isUnderWay(): boolean {
    return this.#count > 0 && this.#allowed === Number.POSITIVE_INFINITY;
  }

  /** Queues one turn in the context of the caller. */
  add(): void {
    this.#count += 1;
    this.#last = this.#last.then(this.#take);
  }

  /** Lets this many more turns be taken. Without it, turns wait. */
  allow(turns: number): void {
    this.#allowed += turns;
    this.#openGate?.();
    this.#openGate = undefined;
    this.#gate = undefined;
  }

  readonly #take = (): void | Promise<void> => {
    if (this.#allowed === 0) return this.#wait();
    this.#allowed -= 1;
    const next = this.#step();
    this.#count -= 1;
    return next;
  };

  #wait(): Promise<void> {
    this.#gate ??= new Promise((resolve) => {
      this.#openGate = resolve;
    });
    return this.#gate.then(this.#take);
  }
}

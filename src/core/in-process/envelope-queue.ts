import type { Envelope } from "./envelope.ts";

const compactFrom = 1024;

/**
 * First in, first out, and a count of what has been pushed and is not done yet, so that one can wait for idleness.
 * Taking is amortised O(1). Once closed it takes nothing more.
 */
export class EnvelopeQueue {
  #envelopes: (Envelope | undefined)[] = [];
  #head = 0;
  #undone = 0;
  #isClosed = false;
  #wake: (() => void) | undefined;
  #arrival: Promise<void> | undefined;
  readonly #doneListeners = new Set<() => void>();

  /** How many wait to be taken. */
  get length(): number {
    return this.#envelopes.length - this.#head;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Nothing waits and nothing is being handled; also when closed. */
  get isIdle(): boolean {
    return this.#undone === 0 || this.#isClosed;
  }

  /** False, and nothing happened, once closed. */
  push(envelope: Envelope): boolean {
    if (this.#isClosed) return false;
    this.#undone += 1;
    this.#envelopes.push(envelope);
    this.#awaken();
    return true;
  }

  take(): Envelope | undefined {
    const envelope = this.#envelopes[this.#head];
    if (envelope === undefined) return undefined;
    this.#envelopes[this.#head] = undefined;
    this.#head += 1;
    if (this.#head === this.#envelopes.length) {
      this.#envelopes.length = 0;
      this.#head = 0;
    } else if (this.#head >= compactFrom && this.#head * 2 >= this.#envelopes.length) {
      this.#envelopes = this.#envelopes.slice(this.#head);
      this.#head = 0;
    }
    return envelope;
  }

  /** Resolves when there may be something to take, or the queue is closed. */
  arrival(): Promise<void> {
    if (this.length > 0 || this.#isClosed) return Promise.resolve();
    this.#arrival ??= new Promise((resolve) => {
      this.#wake = resolve;
    });
    return this.#arrival;
  }

  /** One that was taken has been handled to its end. */
  done(): void {
    this.#undone -= 1;
    if (this.#doneListeners.size > 0) this.#notify();
  }

  /** Calls `listener` after each `done` and at the end, until the function it returns is called. */
  onDone(listener: () => void): () => void {
    this.#doneListeners.add(listener);
    return () => this.#doneListeners.delete(listener);
  }

  /** Resolves when nothing waits and nothing is being handled, or the queue is closed. */
  async idle(): Promise<void> {
    while (!this.isIdle) {
      await new Promise<void>((resolve) => {
        const stopListening = this.onDone(() => {
          if (!this.isIdle) return;
          stopListening();
          resolve();
        });
      });
    }
  }

  /** Ends it and hands back what nobody took. */
  close(): Envelope[] {
    this.#isClosed = true;
    const left = this.#envelopes.slice(this.#head).filter((envelope) => envelope !== undefined);
    this.#envelopes = [];
    this.#head = 0;
    this.#awaken();
    this.#notify();
    return left;
  }

  #awaken(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    this.#arrival = undefined;
    wake?.();
  }

  #notify(): void {
    for (const listener of [...this.#doneListeners]) listener();
  }
}

import type { Envelope, ResponseEnvelope } from "./envelope.ts";
import { SenderTurns } from "./sender-turns.ts";

const compactFrom = 1024;

/**
 * A first-in-first-out queue of envelopes. It counts the envelopes that are not done, so that the runtime can wait until it is
 * idle. Taking is amortised O(1). A closed queue accepts no envelope.
 */
export class EnvelopeQueue {
  #envelopes: (Envelope | undefined)[] = [];
  #head = 0;
  #undone = 0;
  #isClosed = false;
  #wake: (() => void) | undefined;
  #arrival: Promise<void> | undefined;
  readonly #doneListeners = new Set<() => void>();
  readonly #turns: SenderTurns | undefined;

  /**
   * `step` takes one envelope. It is called once for each envelope, in the async context of the code that pushed it, as soon as
   * `allow` lets it. Without `step` the envelopes wait for `take`.
   */
  constructor(step?: (queue: EnvelopeQueue) => void | Promise<void>) {
    this.#turns = step === undefined ? undefined : new SenderTurns(() => step(this));
  }

  /** The number of envelopes that wait to be taken. */
  get length(): number {
    return this.#envelopes.length - this.#head;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** True when no envelope waits and none is in flight, and when the queue is closed. */
  get isIdle(): boolean {
    return this.#undone === 0 || this.#isClosed;
  }

  /** Adds an envelope, with a turn of its own. A closed queue does nothing and returns false. */
  push(envelope: Envelope): boolean {
    if (this.#isClosed) return false;
    this.#undone += 1;
    this.#envelopes.push(envelope);
    this.#turns?.add();
    if (this.#wake !== undefined) this.#awaken();
    return true;
  }

  /**
   * Adds an answer that nothing of the user sees on its way. The step before it takes it too, which saves its turn. When there is
   * no such step, or steps are allowed one by one, it gets a turn.
   */
  pushUnseen(answer: ResponseEnvelope): boolean {
    if (this.#turns?.isUnderWay !== true || this.#isClosed) return this.push(answer);
    answer.hasTurn = false;
    this.#undone += 1;
    this.#envelopes.push(answer);
    return true;
  }

  /** Takes the next envelope if it has no turn of its own. */
  takeWithoutTurn(): Envelope | undefined {
    const envelope = this.#envelopes[this.#head];
    return envelope?.kind === "response" && !envelope.hasTurn ? this.take() : undefined;
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

  /** Lets this many more envelopes be taken. Infinity: all that come. */
  allow(envelopes: number): void {
    this.#turns?.allow(envelopes);
  }

  /** Resolves when there may be an envelope to take, or the queue is closed. */
  arrival(): Promise<void> {
    if (this.length > 0 || this.#isClosed) return Promise.resolve();
    this.#arrival ??= new Promise((resolve) => {
      this.#wake = resolve;
    });
    return this.#arrival;
  }

  /** Keeps the queue from being idle, as an envelope in flight does, until `done` is called once more. */
  hold(): void {
    this.#undone += 1;
  }

  /** Marks one taken envelope as done. */
  done(): void {
    this.#undone -= 1;
    if (this.#doneListeners.size > 0) this.#notify();
  }

  /** Calls `listener` after each `done` and when the queue closes. The returned function ends that. */
  onDone(listener: () => void): () => void {
    this.#doneListeners.add(listener);
    return () => this.#doneListeners.delete(listener);
  }

  /** Resolves when no envelope waits and none is in flight, or the queue is closed. */
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

  /** Ends the queue and returns the envelopes that were not taken. */
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

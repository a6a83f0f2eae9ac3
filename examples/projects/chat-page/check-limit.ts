/** Ends this process where its check would wait for too long, and says what it was waiting for. Its programs end with it. */
export class CheckLimit implements Disposable {
  readonly #timer: NodeJS.Timeout;
  #step = "the programs of the chat";

  constructor(limitMs: number) {
    const why = `It has taken more than ${limitMs / 1_000} s.`;
    this.#timer = setTimeout(() => this.giveUp(why), limitMs);
  }

  /** Notes what the check does now. */
  begin(step: string): void {
    this.#step = step;
  }

  /** Waits for the end of something. */
  async within(limitMs: number, what: string, end: PromiseLike<unknown>): Promise<void> {
    const why = `${what} has taken more than ${limitMs / 1_000} s.`;
    const timer = setTimeout(() => this.giveUp(why), limitMs);
    try {
      await end;
    } finally {
      clearTimeout(timer);
    }
  }

  giveUp(why: string): never {
    console.error(`The check gives up at "${this.#step}". ${why}`);
    process.exit(1);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}

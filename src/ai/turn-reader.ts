import type { UiPart } from "../teams/internal.ts";
import type { ToldParts } from "./told-parts.ts";

/** The reader of a turn: what it was told, and what tools tell it. */
export class TurnReader {
  readonly told: ToldParts;
  #parts: { readonly part: UiPart; readonly taken: () => void }[] = [];
  #onPart: () => void = nothing;
  #isOver = false;
  /** Waits until the reader was told something. */
  readonly #waits = new Set<{ readonly isTold: () => boolean; readonly end: () => void }>();

  constructor(told: ToldParts) {
    this.told = told;
  }

  /** The reader was told a part. */
  tell(part: UiPart): void {
    this.told.take(part);
    for (const wait of this.#waits) {
      if (!wait.isTold()) continue;
      this.#waits.delete(wait);
      wait.end();
    }
  }

  /** Resolves when the reader was told something, or can't be told anything more now. */
  whenTold(isTold: () => boolean): Promise<void> {
    if (this.#isOver || isTold()) return Promise.resolve();
    return new Promise((end) => this.#waits.add({ isTold, end }));
  }

  /** Tells the reader a part of a tool. Resolves when it was taken. */
  put(part: UiPart): Promise<void> {
    if (this.#isOver) return Promise.resolve();
    return new Promise((taken) => {
      this.#parts.push({ part, taken });
      this.#onPart();
    });
  }

  /** Resolves when there is something that a tool tells. */
  nextPart(): Promise<undefined> {
    if (this.#parts.length > 0) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      this.#onPart = () => resolve(undefined);
    });
  }

  /** Yields what tools have told. */
  *takeParts(): Generator<UiPart, void, undefined> {
    for (let next = this.#parts.shift(); next !== undefined; next = this.#parts.shift()) {
      try {
        yield next.part;
      } finally {
        next.taken();
      }
      this.tell(next.part);
    }
  }

  /** Yields what tools tell until a promise settles. */
  async *partsUntil(ended: Promise<unknown>): AsyncGenerator<UiPart, void, undefined> {
    let hasEnded = false;
    const over = ended.then(nothing, nothing).then(() => {
      hasEnded = true;
    });
    while (!hasEnded) {
      const arrived = this.nextPart();
      yield* this.takeParts();
      await Promise.race([over, arrived]);
    }
    yield* this.takeParts();
  }

  /** A stream of the AI SDK has ended: waits for what it tells end. */
  streamEnds(): void {
    for (const { end } of this.#waits) end();
    this.#waits.clear();
  }

  /** The turn has ended. */
  end(): void {
    this.#isOver = true;
    this.streamEnds();
    for (const { taken } of this.#parts.splice(0)) taken();
  }
}

function nothing(): void {}

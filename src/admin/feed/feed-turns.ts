import { nextTurn } from "../../core/internal.ts";

/** Events that all readers of a feed together may have looked at in one turn of the event loop. `charsPerEvent` written characters count as one event more. */
export const turnLimits = { events: 2_000, charsPerEvent: 16 } as const;

/**
 * Shares each turn of the event loop between the readers of a feed. Many that come back at once each get old events; so the host does a bounded part
 * of that, then its other work. Parties take turns, so that one with many readers keeps no other one waiting.
 */
export class FeedTurns {
  /** Readers that wait, by their parties; the party whose turn is next comes first. */
  readonly #waiting = new Map<string, (() => void)[]>();
  #left: number = turnLimits.events;
  #isPlanned = false;
  /** A reader looks at events. */
  #isTaken = false;

  /** Resolves when a reader may look at events. It must `spend` afterwards. */
  async enter(party: string): Promise<void> {
    if (this.#left > 0 && !this.#isTaken && this.#waiting.size === 0) {
      this.#isTaken = true;
      return;
    }
    this.#plan();
    await new Promise<void>((resolve) => {
      const own = this.#waiting.get(party);
      if (own === undefined) this.#waiting.set(party, [resolve]);
      else own.push(resolve);
    });
  }

  /** A reader has looked at so many events, and gets so many characters. */
  spend(events: number, chars: number): void {
    this.#isTaken = false;
    this.#left -= events + chars / turnLimits.charsPerEvent;
    if (this.#left < turnLimits.events) this.#plan();
    if (this.#left > 0) this.#serve();
  }

  #plan(): void {
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    void nextTurn().then(() => {
      this.#isPlanned = false;
      this.#left = turnLimits.events;
      this.#serve();
    });
  }

  /** Lets one reader go on. Its `spend` lets the next one do so. */
  #serve(): void {
    if (this.#isTaken) return;
    for (const [party, readers] of this.#waiting) {
      const begin = readers.shift();
      this.#waiting.delete(party);
      if (readers.length > 0) this.#waiting.set(party, readers);
      this.#isTaken = true;
      begin?.();
      return;
    }
  }
}

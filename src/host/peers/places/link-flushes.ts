import type { CallLink } from "../worker-elsewhere.ts";

interface Flush {
  readonly link: CallLink;
  readonly onDone: () => void;
}

/** Numbers of flushes are of 31 bits. */
const mostNumber = 2 ** 31 - 1;

// protocol.md §12.8
/** Asks other hosts to give back what they have handed to no worker, and tells when all of it has come. */
export class LinkFlushes {
  readonly #waiting = new Map<number, Flush>();
  #last = 0;

  get size(): number {
    return this.#waiting.size;
  }

  /**
   * Asks for what is on its way to an agent. Without an agent type: for all that is on its way to exclusive types of the worker in the slot.
   * Calls `onDone` once: behind all that comes back, or when the link has ended.
   */
  begin(
    link: CallLink,
    { slot, agentType, key }: { readonly slot: number; readonly agentType: string; readonly key: string },
    onDone: () => void,
  ): void {
    do this.#last = this.#last === mostNumber ? 1 : this.#last + 1;
    while (this.#waiting.has(this.#last));
    const number = this.#last;
    this.#waiting.set(number, { link, onDone });
    if (link.sendFlush({ kind: "flush", number, slot, agentType, key }) !== "queued") this.done(link, number);
  }

  /** The other host has given back all that it had. */
  done(link: CallLink, number: number): void {
    const flush = this.#waiting.get(number);
    if (flush?.link !== link) return;
    this.#waiting.delete(number);
    flush.onDone();
  }

  /** Nothing comes back on this link any more. */
  linkEnded(link: CallLink): void {
    for (const [number, flush] of this.#waiting) if (flush.link === link) this.done(link, number);
  }
}

import type { Clock, Timer } from "../../../core/internal.ts";
import type { PeerFlush } from "../../../protocol/internal.ts";
import { limits } from "../../limits.ts";
import type { CallLink } from "../worker-elsewhere.ts";

interface Flush {
  readonly link: CallLink;
  readonly frame: PeerFlush;
  readonly party: string | undefined;
  readonly onDone: () => void;
}

/** Numbers of flushes are of 31 bits. */
const mostNumber = 2 ** 31 - 1;

// protocol.md §12.8
/** Asks other hosts to give back what they have handed to no worker, and tells when all of it has come. */
export class LinkFlushes {
  readonly #clock: Clock;
  readonly #waiting = new Map<number, Flush>();
  /** Those for which the link had no space. */
  readonly #unsent = new Set<number>();
  #timer: Timer | undefined;
  #last = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /**
   * Asks for what is on its way to an agent. Without an agent type: for all that is on its way to exclusive types of the worker in the slot.
   * Calls `onDone` once: behind all that comes back, or when the link has ended. `party`: the address for whose messages the host asks. What finds
   * no space in its share of the link is asked later. Undefined: the host asks for itself, and a link without space for it ends.
   */
  begin(
    link: CallLink,
    { slot, agentType, key }: { readonly slot: number; readonly agentType: string; readonly key: string },
    party: string | undefined,
    onDone: () => void,
  ): void {
    do this.#last = this.#last === mostNumber ? 1 : this.#last + 1;
    while (this.#waiting.has(this.#last));
    const number = this.#last;
    const flush = { link, frame: { kind: "flush", number, slot, agentType, key }, party, onDone } as const;
    this.#waiting.set(number, flush);
    if (this.#hasNoSpace(flush)) this.#sendLater(number);
  }

  /** The other host has given back all that it had. */
  done(link: CallLink, number: number): void {
    const flush = this.#waiting.get(number);
    if (flush?.link !== link) return;
    this.#waiting.delete(number);
    this.#unsent.delete(number);
    if (this.#unsent.size === 0) this.#stopTimer();
    flush.onDone();
  }

  /** Nothing comes back on this link any more. */
  linkEnded(link: CallLink): void {
    for (const [number, flush] of this.#waiting) if (flush.link === link) this.done(link, number);
  }

  /** Sends a flush. True: it is to be sent later. */
  #hasNoSpace({ link, frame, party }: Flush): boolean {
    const outcome = link.sendFlush(frame, party);
    if (outcome === "full" && party !== undefined) return true;
    if (outcome !== "queued") this.done(link, frame.number);
    return false;
  }

  #sendLater(number: number): void {
    this.#unsent.add(number);
    this.#timer ??= this.#clock.setTimer(limits.flushRetryMs, () => {
      this.#stopTimer();
      this.#sendUnsent();
    });
  }

  #sendUnsent(): void {
    const full = new Map<CallLink, Set<string | undefined>>();
    for (const number of [...this.#unsent]) {
      const flush = this.#waiting.get(number);
      if (flush === undefined || full.get(flush.link)?.has(flush.party)) continue;
      this.#unsent.delete(number);
      if (!this.#hasNoSpace(flush)) continue;
      this.#unsent.add(number);
      full.set(flush.link, (full.get(flush.link) ?? new Set()).add(flush.party));
    }
    for (const number of this.#unsent) return this.#sendLater(number);
  }

  #stopTimer(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}

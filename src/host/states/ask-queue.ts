import type { StatesAnswer } from "../../protocol/internal.ts";
import type { MemoryAccount } from "../../transport/internal.ts";
import { limits } from "../limits.ts";
import { LoadSpace } from "./load-space.ts";
import type { TakenAsk } from "./state-service.ts";

export interface AskQueueParts {
  /** Takes what the asks of the stream occupy. The queue closes it. */
  readonly account: MemoryAccount;
  /** Bytes of asks without an answer from which on the stream is not read. */
  readonly maxBytes: number;
  readonly onAnswer: (answer: StatesAnswer) => void;
}

interface Waiting {
  readonly ask: TakenAsk;
  readonly bytes: number;
}

/** Memory of an ask beside its bytes. */
const askBytes = 1_000;

/**
 * The asks of one stream of states, in the order in which they came. A few of each stream are at the store at once, so that the streams
 * of all workers have their turns.
 */
export class AskQueue {
  readonly #parts: AskQueueParts;
  #waiting: Waiting[] = [];
  /** Place of the first one that waits. */
  #first = 0;
  #atStore = 0;
  #loadsAtStore = 0;
  #bytes = 0;
  #hasEnded = false;
  readonly #loadSpace: LoadSpace;

  constructor(parts: AskQueueParts) {
    this.#parts = parts;
    this.#loadSpace = new LoadSpace(parts);
  }

  /** Asks without an answer. */
  get size(): number {
    return this.#waiting.length - this.#first + this.#atStore;
  }

  get isFull(): boolean {
    return this.size >= limits.stateAsks || this.#bytes >= this.#parts.maxBytes;
  }

  get isHalfEmpty(): boolean {
    return 2 * this.size <= limits.stateAsks && 2 * this.#bytes <= this.#parts.maxBytes;
  }

  /** Says why the client may not have an ask of this length more. Undefined: it may. */
  whyNot(bytes: number): string | undefined {
    const { account } = this.#parts;
    return account.mayTake(bytes + askBytes) ? undefined : account.whyNot(bytes + askBytes);
  }

  /** Adds an ask that `whyNot` has allowed in this turn of the event loop. */
  add(ask: TakenAsk, bytes: number): void {
    this.#parts.account.add(bytes + askBytes);
    this.#bytes += bytes;
    this.#waiting.push({ ask, bytes });
  }

  /** Starts the asks that may be at the store now. */
  start(): void {
    while (this.#atStore < limits.stateAsksAtOnce) {
      const next = this.#waiting[this.#first];
      if (next === undefined || (!next.ask.isCommit && this.#loadsAtStore >= limits.stateLoadsAtOnce)) return;
      this.#first += 1;
      if (2 * this.#first >= this.#waiting.length) this.#shorten();
      void this.#run(next);
    }
  }

  /** No worker hears answers any more. Commits go on. */
  end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#keepOnly(({ ask }) => ask.isCommit);
    this.#loadSpace.end();
    this.start();
    this.#closeIfEmpty();
  }

  /** Drops all that is not at the store. */
  dropWaiting(): void {
    this.#keepOnly(() => false);
  }

  async #run(waiting: Waiting): Promise<void> {
    const { ask } = waiting;
    this.#atStore += 1;
    if (!ask.isCommit) this.#loadsAtStore += 1;
    const answer = await ask.run(this.#loadSpace);
    this.#atStore -= 1;
    if (!ask.isCommit) this.#loadsAtStore -= 1;
    this.#release(waiting);
    if (!this.#hasEnded) return this.#parts.onAnswer(answer);
    this.start();
    this.#closeIfEmpty();
  }

  #keepOnly(isKept: (waiting: Waiting) => boolean): void {
    const all = this.#waiting.slice(this.#first);
    this.#waiting = all.filter(isKept);
    this.#first = 0;
    for (const waiting of all) {
      if (isKept(waiting)) continue;
      this.#release(waiting);
      waiting.ask.drop();
    }
  }

  #release({ bytes }: Waiting): void {
    this.#bytes -= bytes;
    this.#parts.account.release(bytes + askBytes);
  }

  #closeIfEmpty(): void {
    if (this.size === 0) this.#parts.account.close();
  }

  #shorten(): void {
    this.#waiting = this.#waiting.slice(this.#first);
    this.#first = 0;
  }
}

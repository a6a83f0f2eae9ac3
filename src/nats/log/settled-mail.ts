import { type KeptMessage, nextTurn } from "../../core/internal.ts";
import type { DeletionRounds } from "./deletion-rounds.ts";
import type { StreamAsks } from "./stream-asks.ts";

/** The parts of a `SettledMail`. */
export interface SettledMailParts {
  readonly asks: Pick<StreamAsks, "mayPurge" | "purge" | "remove">;
  readonly stream: string;
  /** The subjects of the shard. */
  readonly filter: string;
  readonly rounds: DeletionRounds;
  /** Whether the stream has so little mail that a purge is cheap: the server looks through all blocks that have subjects of the shard. */
  readonly isSmall: () => boolean;
  /** Finds out, now and then, whether the shard has messages that are not known. */
  readonly look: () => Promise<void>;
  /** Returns the place before which the shard has only messages that are settled. 0: unknown. */
  readonly openFrom: () => number;
  /** Called when a message has left its mailbox. */
  readonly onRemoved: (message: KeptMessage) => void;
}

interface Settled {
  readonly message: KeptMessage;
  readonly deleted: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Deletes the settled messages of one shard, in rounds. To delete a message costs the servers more than to keep it. So one purge deletes all
 * before which nothing is open; the others are deleted one by one.
 */
export class SettledMail {
  readonly #parts: SettledMailParts;
  /** By place. Those of the next round, and of the one under way. */
  #waiting = new Map<number, Settled>();
  #underWay: ReadonlyMap<number, Settled> = new Map();
  #isPlanned = false;
  #isOver = false;

  constructor(parts: SettledMailParts) {
    this.#parts = parts;
  }

  /** Whether a message is settled and not deleted yet. */
  has(place: number): boolean {
    return this.#waiting.has(place) || this.#underWay.has(place);
  }

  /** Resolves when the message is deleted, or after the end. Rejects with a `StoreError`. */
  settle(message: KeptMessage): Promise<void> {
    const { place } = message;
    const known = this.#waiting.get(place) ?? this.#underWay.get(place);
    if (known !== undefined) return known.deleted;
    if (this.#isOver) return Promise.resolve();
    let end: Pick<Settled, "resolve" | "reject"> | undefined;
    const deleted = new Promise<void>((resolve, reject) => {
      end = { resolve, reject };
    });
    if (end !== undefined) this.#waiting.set(place, { message, deleted, ...end });
    this.#plan();
    return deleted;
  }

  /** Begins no deletion any more: another reader has the shard. */
  end(): void {
    this.#isOver = true;
    for (const { resolve } of this.#waiting.values()) resolve();
    this.#waiting.clear();
  }

  #plan(): void {
    if (this.#isPlanned || this.#waiting.size === 0) return;
    this.#isPlanned = true;
    this.#parts.rounds.run(this.#round);
  }

  readonly #round = async (): Promise<void> => {
    // What is settled in this turn of the event loop is in the round, too.
    await nextTurn();
    const settled = this.#waiting;
    this.#underWay = settled;
    this.#waiting = new Map();
    const purgedTo = await this.#purge(settled);
    const others = [...settled.values()].filter(({ message }) => message.place > purgedTo);
    await Promise.all(others.map((one) => this.#remove(one)));
    this.#underWay = new Map();
    this.#isPlanned = false;
    this.#plan();
  };

  /** Deletes those before which nothing is open, if there are several. Resolves to the last place of these, or to 0. */
  async #purge(settled: ReadonlyMap<number, Settled>): Promise<number> {
    const { asks, stream, filter, isSmall, look, openFrom, onRemoved } = this.#parts;
    if (settled.size < 2 || !asks.mayPurge || !isSmall()) return 0;
    await look();
    const before = openFrom();
    const ready = [...settled.values()].filter(({ message }) => message.place < before);
    if (ready.length < 2) return 0;
    const last = Math.max(...ready.map(({ message }) => message.place));
    try {
      await asks.purge(stream, filter, last);
    } catch (error) {
      for (const { reject } of ready) reject(error);
      return last;
    }
    for (const { message, resolve } of ready) {
      onRemoved(message);
      resolve();
    }
    return last;
  }

  async #remove({ message, resolve, reject }: Settled): Promise<void> {
    const { asks, stream, onRemoved } = this.#parts;
    try {
      if (await asks.remove(stream, message.place)) onRemoved(message);
      resolve();
    } catch (error) {
      reject(error);
    }
  }
}

import type { Clock, Timer } from "../../../core/internal.ts";
import { FairShare } from "../../../transport/internal.ts";
import { limits } from "../../limits.ts";
import { InterestElsewhere } from "./interest-elsewhere.ts";
import { type Pattern, patternText, type ToldPresence } from "./told-presence.ts";

export interface MovedInterestParts {
  readonly clock: Clock;
  readonly presence: Pick<ToldPresence, "keep" | "drop">;
  /** Whether some other host has told a pattern. */
  readonly isTold: (pattern: Pattern) => boolean;
  readonly maxPatterns: number;
}

/** A worker that has moved. */
interface Moved {
  readonly workerId: string;
  readonly party: string;
  readonly patterns: ReadonlyMap<string, Pattern>;
  /** Those that no other host has told yet. */
  readonly untold: Set<string>;
  timer: Timer;
}

// protocol.md §12.3
/**
 * Subscriptions of workers that move to another host. Events match them until the worker has subscribed there, and all hosts can know it. Such
 * events wait at the gate of the worker. Without this an event that is published meanwhile would reach no agent.
 */
export class MovedInterest {
  readonly #parts: MovedInterestParts;
  readonly #index = new InterestElsewhere<Moved>();
  readonly #workers = new Map<string, Moved>();
  readonly #share: FairShare;
  readonly #onNone = new Set<() => void>();

  constructor(parts: MovedInterestParts) {
    this.#parts = parts;
    this.#share = new FairShare(parts.maxPatterns);
  }

  get isEmpty(): boolean {
    return this.#workers.size === 0;
  }

  /** Keeps the patterns of a worker, as many as there is space for. `party`: the address of the worker. */
  add(workerId: string, party: string, patterns: Iterable<Pattern>): void {
    this.remove(workerId);
    const kept = new Map<string, Pattern>();
    for (const pattern of patterns) {
      const text = patternText(pattern);
      if (kept.has(text)) continue;
      if (!this.#share.mayAdd(party)) break;
      this.#share.add(party);
      kept.set(text, pattern);
    }
    if (kept.size === 0) return;
    const { clock, presence, isTold } = this.#parts;
    const untold = new Set([...kept].filter(([, pattern]) => !isTold(pattern)).map(([text]) => text));
    const timer = clock.setTimer(limits.moveOfInterestMs, () => this.remove(workerId));
    const moved: Moved = { workerId, party, patterns: kept, untold, timer };
    this.#workers.set(workerId, moved);
    for (const pattern of kept.values()) {
      this.#index.change(moved, pattern, true);
      presence.keep(pattern);
    }
    if (untold.size === 0) this.#endSoon(moved);
  }

  /** Another host has told a pattern. */
  told(pattern: Pattern): void {
    if (this.#workers.size === 0) return;
    const text = patternText(pattern);
    for (const moved of this.#workers.values())
      if (moved.untold.delete(text) && moved.untold.size === 0) this.#endSoon(moved);
  }

  /** The worker is gone, or it is at this host again. */
  remove(workerId: string): void {
    const moved = this.#workers.get(workerId);
    if (moved === undefined) return;
    moved.timer.cancel();
    this.#workers.delete(workerId);
    this.#index.forget(moved);
    for (const pattern of moved.patterns.values()) this.#parts.presence.drop(pattern);
    this.#share.remove(moved.party, moved.patterns.size);
    if (this.#workers.size === 0) for (const resolve of [...this.#onNone]) resolve();
  }

  /** Calls `visit` for each agent type that an event on this topic is for, perhaps more than once. */
  visit(topicType: string, visit: (agentType: string) => void): void {
    if (this.#workers.size > 0) this.#index.visit(topicType, visit);
  }

  /** Resolves when nothing is kept any more. */
  async over(): Promise<void> {
    if (this.#workers.size === 0) return;
    await new Promise<void>((resolve) => {
      const settle = (): void => {
        this.#onNone.delete(settle);
        resolve();
      };
      this.#onNone.add(settle);
    });
  }

  close(): void {
    for (const workerId of [...this.#workers.keys()]) this.remove(workerId);
  }

  /** The next host has told all. A third one may hear that later than the end of what this host tells. */
  #endSoon(moved: Moved): void {
    moved.timer.cancel();
    moved.timer = this.#parts.clock.setTimer(limits.toldInterestMs, () => this.remove(moved.workerId));
  }
}

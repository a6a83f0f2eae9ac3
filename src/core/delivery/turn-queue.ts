import type { TurnKind } from "../agents/turns.ts";

/** One message at a sequential agent: it waits for its turn, or has it. */
export interface Turn {
  /** An interleaving turn does not come here. */
  readonly kind: Exclude<TurnKind, "interleaving">;
  /** Bytes of the message, for the bound. */
  readonly bytes: number;
  /** Whether a handler that runs may wait for this message, so that nothing before it may wait for a free slot. */
  readonly isUrgent: boolean;
  /** Whether turns wait for this message, which the queue may have to let in for that. */
  readonly hasPath: boolean;
  /** Whether the other turn waits for this message. */
  isAwaitedBy(running: Turn): boolean;
  /** Begins a turn that has waited. Must not call the queue. `hurries`: an urgent message waits behind it. */
  begin(hurries: boolean): void;
  /** Tells a turn that runs that an urgent message waits behind it. */
  hurry(): void;
}

/** Bounds of what waits for one agent. */
export interface TurnLimits {
  readonly maxQueued: number;
  /** A message that waits alone may be longer. */
  readonly maxQueuedBytes: number;
}

/**
 * The turns of one agent. One turn runs at a time, or several that read. The others wait in the order of their arrival, up to a
 * bound. A reading turn does not overtake one that waits. A turn is let in beside others if each of them waits for it, and then it
 * overtakes all that waits.
 */
export class TurnQueue {
  readonly #limits: TurnLimits;
  readonly #running = new Set<Turn>();
  readonly #waiting = new Set<Turn>();
  #waitingBytes = 0;
  #urgentCount = 0;
  #pathCount = 0;

  constructor(limits: TurnLimits) {
    this.#limits = limits;
  }

  get isIdle(): boolean {
    return this.#running.size === 0 && this.#waiting.size === 0;
  }

  get waitingCount(): number {
    return this.#waiting.size;
  }

  /** Asks for a turn. `waits`: the queue calls `begin` later, unless `end` comes first. `full`: the turn is refused. */
  ask(turn: Turn): "begun" | "waits" | "full" {
    if (this.#isAwaitedByAll(turn) || (this.#waiting.size === 0 && this.#letsIn(turn))) {
      this.#running.add(turn);
      return "begun";
    }
    const { maxQueued, maxQueuedBytes } = this.#limits;
    const isTooMuch = this.#waiting.size > 0 && this.#waitingBytes + turn.bytes > maxQueuedBytes;
    if (this.#waiting.size >= maxQueued || isTooMuch) return "full";
    this.#waiting.add(turn);
    this.#waitingBytes += turn.bytes;
    if (turn.hasPath) this.#pathCount += 1;
    if (!turn.isUrgent) return "waits";
    this.#urgentCount += 1;
    for (const running of this.#running) running.hurry();
    return "waits";
  }

  /** Ends a turn, or the wait for it, and begins the next ones. */
  end(turn: Turn): void {
    if (!this.#running.delete(turn) && !this.#leave(turn)) return;
    this.#beginAwaited();
    for (const next of this.#waiting) {
      if (!this.#letsIn(next)) return;
      this.#begin(next);
    }
  }

  /** Begins all turns that wait, in their order. */
  release(): void {
    for (const next of [...this.#waiting]) this.#begin(next);
  }

  /** Begins the turns for which all that run wait. */
  #beginAwaited(): void {
    if (this.#pathCount === 0 || this.#running.size === 0) return;
    for (const next of this.#waiting) if (this.#isAwaitedByAll(next)) this.#begin(next);
  }

  #begin(next: Turn): void {
    this.#leave(next);
    this.#running.add(next);
    next.begin(this.#urgentCount > 0);
  }

  /** Whether turns run, and each of them waits for this one. */
  #isAwaitedByAll(turn: Turn): boolean {
    if (!turn.hasPath || this.#running.size === 0) return false;
    for (const running of this.#running) if (!turn.isAwaitedBy(running)) return false;
    return true;
  }

  #letsIn(turn: Turn): boolean {
    for (const running of this.#running) {
      if (turn.isAwaitedBy(running)) continue;
      if (turn.kind !== "reading" || running.kind !== "reading") return false;
    }
    return true;
  }

  #leave(turn: Turn): boolean {
    if (!this.#waiting.delete(turn)) return false;
    this.#waitingBytes -= turn.bytes;
    if (turn.isUrgent) this.#urgentCount -= 1;
    if (turn.hasPath) this.#pathCount -= 1;
    return true;
  }
}

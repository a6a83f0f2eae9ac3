import type { TurnKind } from "../../agents/turns.ts";
import { FewTurns } from "./few-turns.ts";

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
export class TurnQueue<T extends Turn = Turn> {
  readonly #limits: TurnLimits;
  readonly #running = new FewTurns<T>();
  readonly #waiting = new FewTurns<T>();
  #isHeld = false;
  #waitingBytes = 0;
  #urgentCount = 0;
  #pathCount = 0;

  constructor(limits: TurnLimits) {
    this.#limits = limits;
  }

  get isIdle(): boolean {
    return this.#running.size === 0 && this.#waiting.size === 0 && !this.#isHeld;
  }

  /** From now on no turn begins, but those for which all that run wait. */
  hold(): void {
    this.#isHeld = true;
  }

  /** Returns the turns that wait, in their order, and keeps them no longer. */
  takeWaiting(): readonly T[] {
    const all = [...this.#waiting];
    for (const turn of all) this.#leave(turn);
    return all;
  }

  get waitingCount(): number {
    return this.#waiting.size;
  }

  /** The turns that wait, in their order. */
  get waiting(): Iterable<T> {
    return this.#waiting;
  }

  /** Whether a message waits for which turns wait. */
  get hasWaitingPath(): boolean {
    return this.#pathCount > 0;
  }

  /**
   * Returns the turns that wait, in their order, with the running turns that must end first. A turn may begin in two ways: when all that
   * run wait for it, or after those that wait before it. So a turn that reads waits only for what both ways need. If there is nothing,
   * those before it wait for turns that wait for it. Then the first way is the only one.
   */
  *waits(): Iterable<{ readonly turn: T; readonly behind: readonly T[] }> {
    const ahead = new Set<T>();
    for (const turn of this.#waiting) {
      const others = [...this.#running].filter((running) => !turn.isAwaitedBy(running));
      const both = others.filter(
        (running) => turn.kind !== "reading" || running.kind !== "reading" || ahead.has(running),
      );
      const behind = both.length > 0 ? both : others;
      for (const running of behind) ahead.add(running);
      yield { turn, behind };
    }
  }

  /** Asks for a turn. `waits`: the queue calls `begin` later, unless `end` comes first. `full`: the turn is refused. */
  ask(turn: T): "begun" | "waits" | "full" {
    if (this.#isAwaitedByAll(turn) || (!this.#isHeld && this.#waiting.size === 0 && this.#letsIn(turn))) {
      this.#running.add(turn);
      return "begun";
    }
    const { maxQueued, maxQueuedBytes } = this.#limits;
    const isTooMuch = this.#waiting.size > 0 && this.#waitingBytes + turn.bytes > maxQueuedBytes;
    if (this.#waiting.size >= maxQueued || isTooMuch) return "full";
    this.#wait(turn);
    if (!turn.isUrgent) return "waits";
    for (const running of this.#running) running.hurry();
    return "waits";
  }

  /** Lets a running turn wait again, before all that wait. It begins none: call `resume` for that. */
  putBack(turn: T): void {
    if (!this.#running.delete(turn)) return;
    const others = this.takeWaiting();
    for (const next of [turn, ...others]) this.#wait(next);
  }

  /** Ends a turn, or the wait for it, and begins the next ones. */
  end(turn: T): void {
    if (this.#running.delete(turn) || this.#leave(turn)) this.resume();
  }

  /** Begins the turns that may begin. */
  resume(): void {
    this.#beginAwaited();
    if (this.#isHeld) return;
    for (const next of this.#waiting) {
      if (!this.#letsIn(next)) return;
      this.#begin(next);
    }
  }

  /** Begins the turns for which all that run wait. */
  #beginAwaited(): void {
    if (this.#pathCount === 0 || this.#running.size === 0) return;
    for (const next of this.#waiting) if (this.#isAwaitedByAll(next)) this.#begin(next);
  }

  #begin(next: T): void {
    this.#leave(next);
    this.#running.add(next);
    next.begin(this.#urgentCount > 0);
  }

  /** Whether turns run, and each of them waits for this one. */
  #isAwaitedByAll(turn: T): boolean {
    if (!turn.hasPath || this.#running.size === 0) return false;
    for (const running of this.#running) if (!turn.isAwaitedBy(running)) return false;
    return true;
  }

  #letsIn(turn: T): boolean {
    for (const running of this.#running) {
      if (turn.isAwaitedBy(running)) continue;
      if (turn.kind !== "reading" || running.kind !== "reading") return false;
    }
    return true;
  }

  #wait(turn: T): void {
    this.#waiting.add(turn);
    this.#waitingBytes += turn.bytes;
    if (turn.hasPath) this.#pathCount += 1;
    if (turn.isUrgent) this.#urgentCount += 1;
  }

  #leave(turn: T): boolean {
    if (!this.#waiting.delete(turn)) return false;
    this.#waitingBytes -= turn.bytes;
    if (turn.isUrgent) this.#urgentCount -= 1;
    if (turn.hasPath) this.#pathCount -= 1;
    return true;
  }
}

import { type Due, DueHeap } from "../../../core/internal.ts";
import type { Lane } from "./lane.ts";

const MINUTE_MS = 60_000;
/** Connections cut for flooding within a minute, from which on new ones of the party are opened one in each turn. */
const SUSPECT_FLOODS = 3;

/** All lanes of one party. */
export class Party implements Due {
  readonly name: string;
  readonly lanes = new Set<Lane>();
  readonly waiting = new DueHeap<Lane>();
  /** Its place among those that wait; see `FairTurns`. Written by that alone. */
  dueMs = 0;
  dueOrder = 0;
  duePlace = -1;
  startMs = 0;
  usedMs = 0;
  /** Virtual time: the start of the lane that was served last, or more. A lane that begins to wait starts here. */
  virtualMs = 0;
  /** The new connection that waits among the others; the rest of them follow one by one. Written by `FairTurns` alone. */
  newcomer: Lane | undefined;
  /** The start of the next new connection: all new ones together get a part of the turns, however many they are. */
  newcomersMs = 0;
  /** New connections in the order of their arrival, and how many of them have ended meanwhile. */
  #newcomers: Lane[] = [];
  #gone = 0;
  #isNewestNext = true;
  #epoch = 0;
  #floods = 0;
  #minuteBeganMs = Number.NEGATIVE_INFINITY;

  constructor(name: string) {
    this.name = name;
  }

  /** New connections that wait to follow. */
  get newcomers(): number {
    return this.#newcomers.length - this.#gone;
  }

  addNewcomer(lane: Lane): void {
    this.#newcomers.push(lane);
  }

  /** A new connection that waits to follow has ended, and is not held any more. */
  forgetNewcomer(): void {
    this.#gone += 1;
    if (2 * this.#gone <= this.#newcomers.length) return;
    this.#newcomers = this.#newcomers.filter(({ isHeld }) => isHeld);
    this.#gone = 0;
  }

  /** Takes out the newest of the new connections, the next time the oldest. */
  nextNewcomer(): Lane | undefined {
    for (;;) {
      const lane = this.#isNewestNext ? this.#newcomers.pop() : this.#newcomers.shift();
      if (lane?.isHeld === false) this.#gone -= 1;
      else {
        this.#isNewestNext = !this.#isNewestNext;
        return lane;
      }
    }
  }

  /** Takes note of the present busy time. */
  refresh(epoch: number): void {
    if (this.#epoch === epoch) return;
    this.#epoch = epoch;
    this.usedMs = 0;
    this.virtualMs = 0;
    this.newcomersMs = 0;
  }

  spend(ms: number, epoch: number): void {
    if (this.#epoch !== epoch) this.refresh(epoch);
    this.usedMs += ms;
    const waiting = this.waiting.size + this.newcomers;
    if (waiting > 0) this.virtualMs += progressOf(ms, waiting);
  }

  /** A connection of the party was cut for flooding. */
  noteFlood(nowMs: number): void {
    if (nowMs - this.#minuteBeganMs > MINUTE_MS) {
      this.#minuteBeganMs = nowMs;
      this.#floods = 0;
    }
    this.#floods += 1;
  }

  /** Whether several connections of the party were cut within a minute, not long ago. */
  isSuspect(nowMs: number): boolean {
    return this.#floods >= SUSPECT_FLOODS && this.hasFlooded(nowMs);
  }

  /** Whether a connection of the party was cut not long ago. */
  hasFlooded(nowMs: number): boolean {
    return this.#floods > 0 && nowMs - this.#minuteBeganMs <= 2 * MINUTE_MS;
  }
}

/**
 * Virtual time that passes while `waiting` others wait: half as fast as each of them would be served. So even those that have used
 * much come before any number of newer ones at last.
 */
export function progressOf(ms: number, waiting: number): number {
  return ms / 2 / (waiting + 1);
}

import { type Due, DueHeap } from "../../../core/internal.ts";
import type { Lane } from "./lane.ts";
import { type Line, progressOf } from "./line.ts";

/** The lanes of one party in one line. Written by `Line`. */
export class PartyQueue implements Due {
  readonly line: Line;
  /** Its place among the parties in line. */
  dueMs = 0;
  dueOrder = 0;
  duePlace = -1;
  startMs = 0;
  usedMs = 0;
  /** Virtual time: the start of the lane that was served last, or more. A lane that begins to wait starts here. */
  virtualMs = 0;
  readonly waiting = new DueHeap<Lane>();
  /** The new connection that waits among the others; the rest of them follow one by one. */
  newcomer: Lane | undefined;
  /** The start of the next new connection: all new ones together get a part of the turns, however many they are. */
  newcomersMs = 0;
  /** New connections in the order of their arrival, and how many of them have ended meanwhile. */
  #newcomers: Lane[] = [];
  #gone = 0;
  #isNewestNext = true;
  #epoch = 0;

  constructor(line: Line) {
    this.line = line;
  }

  /** When its first lane would have finished. */
  get firstDueMs(): number {
    return Math.max(this.startMs, this.usedMs) + (this.waiting.first?.likelyMs ?? 0);
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
    this.refresh(epoch);
    this.usedMs += ms;
    const waiting = this.waiting.size + this.newcomers;
    if (waiting > 0) this.virtualMs += progressOf(ms, waiting);
  }
}

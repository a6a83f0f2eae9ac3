import { DueHeap } from "../../../core/internal.ts";
import { LANES_PER_NEWCOMER } from "./costs.ts";
import type { Lane } from "./lane.ts";
import type { PartyQueue } from "./party-queue.ts";

/**
 * A weighted fair queue with finish tags. The party goes first that would have used least after its turn, and of that the lane. One that uses
 * little goes before all that use much.
 */
export class Line {
  virtualMs = 0;
  readonly #parties = new DueHeap<PartyQueue>();
  #order = 0;

  /** Parties in line. */
  get size(): number {
    return this.#parties.size;
  }

  /** The lane that goes first. */
  get first(): Lane | undefined {
    for (let party = this.#parties.first; party !== undefined; party = this.#parties.first) {
      const lane = party.waiting.first;
      // What has used time since it began to wait goes back. A read before that may have brought many calls.
      if (lane !== undefined && lane.dueMs < lane.usedMs) {
        this.#takeOut(lane);
        this.#lineUp(lane, lane.usedMs);
      } else if (party.firstDueMs <= party.dueMs) return lane;
      this.#place(party);
    }
    return undefined;
  }

  /** Puts a lane in line. */
  add(lane: Lane): void {
    const party = this.#begin(lane);
    lane.startMs = Math.max(lane.usedMs, party.virtualMs);
    this.#lineUp(lane, lane.startMs);
    this.#place(party);
  }

  /** Puts a new connection behind the others of its party, of which one is in line. */
  addNewcomer(lane: Lane): void {
    const party = this.#begin(lane);
    party.addNewcomer(lane);
    this.#letComeNext(party);
    this.#place(party);
  }

  /** Takes out the lane whose turn it is. */
  take(lane: Lane): void {
    const party = lane.place;
    party.usedMs = Math.max(party.usedMs, party.startMs);
    this.virtualMs = Math.max(this.virtualMs, party.usedMs);
    party.startMs = party.usedMs;
    party.virtualMs = Math.max(party.virtualMs, lane.startMs);
    this.remove(lane);
  }

  /** Takes out a lane, whether it is in line or a new connection that waits to follow. */
  remove(lane: Lane): void {
    const party = lane.place;
    if (lane.duePlace < 0) return party.forgetNewcomer();
    this.#takeOut(lane);
    if (party.newcomer === lane) {
      party.newcomer = undefined;
      this.#letComeNext(party);
    }
    this.#place(party);
  }

  /** Notes time that a lane of this line has used. */
  spend(ms: number): void {
    if (this.size > 0) this.virtualMs += progressOf(ms, this.size);
  }

  #begin({ place }: Lane): PartyQueue {
    if (place.waiting.size === 0) place.startMs = Math.max(place.usedMs, this.virtualMs);
    return place;
  }

  /** Of a party's new connections one is in line. The newest and the oldest follow in turn, so that one does not wait for a crowd. */
  #letComeNext(party: PartyQueue): void {
    if (party.newcomer !== undefined) return;
    const lane = party.nextNewcomer();
    if (lane === undefined) return;
    party.newcomer = lane;
    lane.startMs = Math.max(lane.usedMs, party.virtualMs, party.newcomersMs);
    this.#lineUp(lane, lane.startMs);
    party.newcomersMs = lane.startMs + lane.expectedMs * Math.min(1, LANES_PER_NEWCOMER / party.waiting.size);
  }

  #lineUp(lane: Lane, fromMs: number): void {
    this.#order += 1;
    lane.dueOrder = this.#order;
    lane.dueMs = fromMs + lane.likelyMs;
    lane.place.waiting.add(lane);
  }

  #takeOut(lane: Lane): void {
    lane.place.waiting.remove(lane);
    lane.duePlace = -1;
  }

  /** Puts a party where it belongs among those in line. */
  #place(party: PartyQueue): void {
    if (party.duePlace >= 0) {
      this.#parties.remove(party);
      party.duePlace = -1;
    }
    if (party.waiting.size === 0) return;
    party.dueMs = party.firstDueMs;
    this.#order += 1;
    party.dueOrder = this.#order;
    this.#parties.add(party);
  }
}

/**
 * Virtual time that passes while `waiting` others wait: half as fast as each of them would be served. So even those that have used
 * much come before any number of newer ones at last.
 */
export function progressOf(ms: number, waiting: number): number {
  return ms / 2 / (waiting + 1);
}

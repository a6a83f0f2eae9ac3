import { DueHeap } from "../../../core/internal.ts";
import { nowMs, setImmediate } from "../../real-time.ts";
import { LANES_PER_NEWCOMER, SHARE_MS, TURN_MS } from "./costs.ts";
import { Lane, type Rounds } from "./lane.ts";
import { Party, progressOf } from "./party.ts";

/** Parties that are remembered without a connection, because connections of theirs were cut. */
const MAX_FLOODERS = 1_000;

export interface FairTurnsOptions {
  /** Milliseconds that never decrease. Default: the process's own. */
  readonly now?: () => number;
  /** Calls back when the event loop has gone round. Default: `setImmediate`. */
  readonly later?: (act: () => void) => void;
}

/**
 * Shares the time of a listener between peer addresses, and between the connections of each.
 *
 * A turn is what happens between two calls of `setImmediate`. While the time of the turn and the connection's share of it last, work
 * runs at once. What comes later waits, and its connection is not read meanwhile. The party goes first that would
 * have used least after its turn, and of that the connection: a weighted fair queue with finish tags. So a client that uses little
 * goes before all that use much, whatever these have in line.
 */
export class FairTurns implements Rounds {
  readonly now: () => number;
  readonly #later: (act: () => void) => void;
  readonly #parties = new Map<string, Party>();
  readonly #flooders = new Set<Party>();
  readonly #waiting = new DueHeap<Party>();
  readonly #held = new Set<Lane>();
  readonly #newcomers = new WeakSet<Lane>();
  /** Those that were served in this turn. */
  #served = new Set<Lane>();
  #turn = 1;
  #epoch = 1;
  #spentMs = 0;
  #lastSpentMs = 0;
  #virtualMs = 0;
  #order = 0;
  #isPlanned = false;
  #hasSwept = false;
  #hasLetPass = false;

  constructor({ now = nowMs, later = setImmediate }: FairTurnsOptions = {}) {
    this.now = now;
    this.#later = later;
  }

  get turn(): number {
    return this.#turn;
  }

  get epoch(): number {
    return this.#epoch;
  }

  get isOver(): boolean {
    return this.#spentMs > TURN_MS;
  }

  /** For lanes. */
  isAhead({ party, usedMs }: Lane): boolean {
    if (this.#held.size === 0) return false;
    if (party.waiting.size > 0 && usedMs > party.virtualMs + SHARE_MS) return true;
    return this.#waiting.size > Math.sign(party.waiting.size) && party.usedMs > this.#virtualMs + TURN_MS;
  }

  /** Connections that wait for their turn. */
  get waiting(): number {
    return this.#held.size;
  }

  /** Connections that have joined and not closed. */
  get size(): number {
    let size = 0;
    for (const { lanes } of this.#parties.values()) size += lanes.size;
    return size;
  }

  /** Returns the lane of a new connection. Close it when the connection ends. */
  join(partyName: string): Lane {
    let party = this.#parties.get(partyName);
    if (party === undefined) {
      party = new Party(partyName);
      this.#parties.set(partyName, party);
    }
    const lane = new Lane(this, party);
    party.lanes.add(lane);
    return lane;
  }

  /**
   * Runs `open`, which begins to read a new connection: at once, or in its turn while others wait or the party is suspect.
   */
  admit(lane: Lane, open: () => void): void {
    const mayOpen = this.#held.size === 0 && lane.isFree && !lane.party.isSuspect(this.now());
    if (mayOpen) return lane.run(open);
    this.#newcomers.add(lane);
    lane.queue(open);
  }

  /** The lane's connection was cut for flooding. Node tells of some cuts when the lane has closed, and its party with it. */
  noteFlood(lane: Lane): void {
    const atMs = this.now();
    const party = this.#parties.get(lane.party.name) ?? lane.party;
    this.#parties.set(party.name, party);
    party.noteFlood(atMs);
    this.#flooders.delete(party);
    this.#flooders.add(party);
    for (const oldest of this.#flooders) {
      if (this.#flooders.size <= MAX_FLOODERS && oldest.hasFlooded(atMs)) break;
      this.#flooders.delete(oldest);
      this.#leave(oldest);
    }
  }

  /**
   * The event loop is late: charges each connection for what Node has read of it since the last call and handled by itself. `isFirst`: the last
   * call is long ago, so counting begins.
   */
  noteReads(isFirst: boolean): void {
    for (const { lanes } of this.#parties.values()) {
      for (const lane of lanes) {
        if (isFirst) lane.watchReads();
        else lane.chargeUnseen();
      }
    }
  }

  /** For lanes. */
  spend(ms: number): void {
    this.#spentMs += ms;
    if (this.#waiting.size > 0) this.#virtualMs += progressOf(ms, this.#waiting.size);
    if (this.#spentMs <= TURN_MS / 2) return;
    this.plan();
    if (this.#spentMs > TURN_MS && !this.#hasSwept) this.#sweep();
  }

  /** For lanes. */
  plan(): void {
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    this.#later(this.#begin);
  }

  /** For lanes. */
  wait(lane: Lane): void {
    if (lane.isHeld || lane.isClosed) return;
    const { party } = lane;
    party.refresh(this.#epoch);
    lane.hold();
    this.#held.add(lane);
    if (party.waiting.size === 0) party.startMs = Math.max(party.usedMs, this.#virtualMs);
    if (this.#newcomers.delete(lane)) {
      party.addNewcomer(lane);
      this.#letComeNext(party);
    } else this.#lineUp(lane, Math.max(lane.usedMs, party.virtualMs));
    this.#place(party);
    this.plan();
  }

  /** Of a party's new connections one is in line. The newest and the oldest follow in turn, so that one does not wait for a crowd. */
  #letComeNext(party: Party): void {
    if (party.newcomer !== undefined) return;
    const lane = party.nextNewcomer();
    if (lane === undefined) return;
    party.newcomer = lane;
    this.#lineUp(lane, Math.max(lane.usedMs, party.virtualMs, party.newcomersMs));
    const part = Math.min(1, LANES_PER_NEWCOMER / party.waiting.size);
    party.newcomersMs = lane.startMs + lane.expectedMs * part;
  }

  #lineUp(lane: Lane, startMs: number): void {
    this.#order += 1;
    lane.startMs = startMs;
    lane.dueOrder = this.#order;
    lane.dueMs = startMs + lane.likelyMs;
    lane.party.waiting.add(lane);
  }

  /** For lanes. */
  forget(lane: Lane): void {
    const { party } = lane;
    if (lane.isHeld) this.#release(lane);
    party.lanes.delete(lane);
    this.#leave(party);
  }

  /** The time of the turn is used up: those whose next read may be dear wait, too. */
  #sweep(): void {
    this.#hasSwept = true;
    for (const { lanes } of this.#parties.values()) {
      for (const lane of lanes) if (lane.worstMs > SHARE_MS) this.wait(lane);
    }
  }

  readonly #begin = (): void => {
    for (const lane of this.#served) lane.chargeUnseen();
    this.#isPlanned = false;
    this.#lastSpentMs = this.#spentMs;
    this.#turn += 1;
    this.#spentMs = 0;
    this.#hasSwept = false;
    // Node reads on when a write has ended.
    for (const lane of this.#held) lane.stop();
    this.#served = this.#serve();
    if (this.#held.size > 0 || this.#served.size > 0) return this.plan();
    // Nothing waits, so no connection was put at a disadvantage.
    this.#epoch += 1;
    this.#virtualMs = 0;
  };

  #serve(): Set<Lane> {
    const served = new Set<Lane>();
    let expectedMs = 0;
    for (let lane = this.#next(); lane !== undefined; lane = this.#next()) {
      if (served.has(lane)) return served;
      const wouldUseMs = this.#spentMs + expectedMs + lane.worstMs;
      if (served.size > 0 && wouldUseMs > TURN_MS) return served;
      if (lane.worstMs > TURN_MS && this.#letsPass()) return served;
      served.add(lane);
      this.#take(lane);
      lane.serve();
      if (!lane.isHeld) expectedMs += lane.worstMs;
    }
    return served;
  }

  /** After a turn that was too long, what has come meanwhile is read before the next dear lane is: once for each. */
  #letsPass(): boolean {
    this.#hasLetPass = !this.#hasLetPass && this.#lastSpentMs > TURN_MS;
    return this.#hasLetPass;
  }

  /** The lane that goes first. */
  #next(): Lane | undefined {
    for (let party = this.#waiting.first; party !== undefined; party = this.#waiting.first) {
      // What has used time since it began to wait goes back.
      if (dueOf(party) <= party.dueMs) return party.waiting.first;
      this.#place(party);
    }
    return undefined;
  }

  #take(lane: Lane): void {
    const { party } = lane;
    party.usedMs = Math.max(party.usedMs, party.startMs);
    this.#virtualMs = Math.max(this.#virtualMs, party.usedMs);
    party.startMs = party.usedMs;
    party.virtualMs = Math.max(party.virtualMs, lane.startMs);
    this.#release(lane);
  }

  #release(lane: Lane): void {
    const { party } = lane;
    this.#held.delete(lane);
    lane.release();
    if (lane.duePlace < 0) return party.forgetNewcomer();
    party.waiting.remove(lane);
    lane.duePlace = -1;
    if (party.newcomer === lane) {
      party.newcomer = undefined;
      this.#letComeNext(party);
    }
    this.#place(party);
  }

  /** Puts a party where it belongs among those that wait. */
  #place(party: Party): void {
    if (party.duePlace >= 0) {
      this.#waiting.remove(party);
      party.duePlace = -1;
    }
    if (party.waiting.size === 0) return;
    party.dueMs = dueOf(party);
    this.#order += 1;
    party.dueOrder = this.#order;
    this.#waiting.add(party);
  }

  #leave(party: Party): void {
    if (party.lanes.size > 0 || this.#flooders.has(party)) return;
    this.#parties.delete(party.name);
  }
}

function dueOf({ startMs, usedMs, waiting }: Party): number {
  return Math.max(startMs, usedMs) + (waiting.first?.likelyMs ?? 0);
}

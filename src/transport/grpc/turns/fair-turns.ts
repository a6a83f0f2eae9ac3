import { nowMs, setImmediate } from "../../real-time.ts";
import { SHARE_MS, SHORT_LEAD_MS, TURN_MS } from "./costs.ts";
import { Lane, type Rounds } from "./lane.ts";
import { Line } from "./line.ts";
import { Party } from "./party.ts";
import type { PartyQueue } from "./party-queue.ts";

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
 * runs at once. What comes later waits in one of two lines, and its connection is not read meanwhile. Connections with short turns go
 * before the others while these have half of the time. A crowd that begins at once has used nothing yet, so its use does not
 * tell it from them.
 */
export class FairTurns implements Rounds {
  readonly now: () => number;
  readonly #later: (act: () => void) => void;
  readonly #parties = new Map<string, Party>();
  readonly #flooders = new Set<Party>();
  readonly #lines = { short: new Line(), dear: new Line() };
  readonly #held = new Set<Lane>();
  readonly #newcomers = new WeakSet<Lane>();
  /** Those that were served in this turn. */
  #served = new Set<Lane>();
  #turn = 1;
  #epoch = 1;
  #spentMs = 0;
  #lastSpentMs = 0;
  /** Time that short turns have used while dear ones waited, less the time of these. */
  #shortLeadMs = 0;
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

  get isBusy(): boolean {
    return this.#held.size > 0;
  }

  /** For lanes. */
  isAhead({ place, usedMs }: Lane): boolean {
    if (this.#held.size === 0) return false;
    const { line, waiting } = place;
    if (waiting.size > 0 && usedMs > place.virtualMs + SHARE_MS) return true;
    return line.size > Math.sign(waiting.size) && place.usedMs > line.virtualMs + TURN_MS;
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
      party = new Party(partyName, this.#lines);
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
  spend(ms: number, place?: PartyQueue): void {
    const { dear } = this.#lines;
    this.#spentMs += ms;
    place?.spend(ms, this.#epoch);
    const line = place?.line ?? dear;
    line.spend(ms);
    if (line === dear) this.#shortLeadMs = Math.max(0, this.#shortLeadMs - ms);
    else if (dear.size > 0) this.#shortLeadMs += ms;
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
    const { short, dear } = lane.party;
    short.refresh(this.#epoch);
    dear.refresh(this.#epoch);
    lane.hold();
    this.#held.add(lane);
    if (this.#newcomers.delete(lane)) this.#lines.dear.addNewcomer(lane);
    else lane.place.line.add(lane);
    this.plan();
  }

  /** For lanes. */
  forget(lane: Lane): void {
    const { party } = lane;
    if (lane.isHeld) {
      this.#endWait(lane);
      lane.place.line.remove(lane);
    }
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
    this.#lines.short.virtualMs = 0;
    this.#lines.dear.virtualMs = 0;
    this.#shortLeadMs = 0;
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
      lane.place.line.take(lane);
      this.#endWait(lane);
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
    const { short, dear } = this.#lines;
    while (short.size > 0 && (dear.size === 0 || this.#shortLeadMs <= SHORT_LEAD_MS)) {
      const lane = short.first;
      if (lane?.hasShortTurns !== false) return lane;
      // Its last read has brought many calls.
      short.remove(lane);
      lane.chooseLine();
      lane.place.line.add(lane);
    }
    return dear.first;
  }

  #endWait(lane: Lane): void {
    this.#held.delete(lane);
    lane.release();
  }

  #leave(party: Party): void {
    if (party.lanes.size > 0 || this.#flooders.has(party)) return;
    this.#parties.delete(party.name);
  }
}

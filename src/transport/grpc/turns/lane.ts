import type { Due } from "../../../core/internal.ts";
import {
  EVENT_MS,
  FIRST_READ_MS,
  LEAST_MS,
  SHARE_MS,
  SHORT_MS,
  STREAM_END_MS,
  STREAM_MS,
  UNSEEN_BYTE_MS,
} from "./costs.ts";
import type { Party } from "./party.ts";
import type { PartyQueue } from "./party-queue.ts";
import { bitsIn, ReadCosts } from "./read-costs.ts";

/** The part of `FairTurns` that a lane uses. */
export interface Rounds {
  /** Numbers of the present turn, and of the present busy time: between two of these nothing waits. */
  readonly turn: number;
  readonly epoch: number;
  /** Whether the time of this turn is used up. */
  readonly isOver: boolean;
  /** Whether lanes wait. */
  readonly isBusy: boolean;
  /** Whether others wait that have used less than the lane or its party. */
  isAhead(lane: Lane): boolean;
  now(): number;
  /** Notes time that was used. `place`: by whom. */
  spend(ms: number, place?: PartyQueue): void;
  /** Sees to it that a next turn begins soon. */
  plan(): void;
  /** Makes the lane wait for its turn. */
  wait(lane: Lane): void;
  forget(lane: Lane): void;
}

/** Stops and starts the reading of a connection. */
export interface Gate {
  /** Bytes that were read so far. */
  readonly bytesRead: number;
  stop(): void;
  start(): void;
}

/** The `duePlace` of a lane that does not wait. */
const nowhere = -1;

/**
 * How much dearer than expected one turn may count. The clock also measures collections of garbage and other processes. A connection
 * that stays dear counts in full after a few turns.
 */
const surprise = 2;
const someMs = 0.1;

/** One bit for each of the last turns, some of which may be busy. */
const rememberedTurns = 0xff;
const busyTurnsOfShort = 4;
/** A connection with work in three turns one after the other always has more. */
const turnsOfBusy = 3;

/** The turns of one connection: runs its work at once, or in order when its turn comes. */
export class Lane implements Due {
  readonly party: Party;
  /** Its place among those that wait; see `FairTurns`. Written by that alone. */
  dueMs = 0;
  dueOrder = 0;
  duePlace = nowhere;
  startMs = 0;
  /** Time used since it last had nothing to do, counted from the virtual time of its party. */
  usedMs = 0;
  /** Where it waits, or would wait. */
  place: PartyQueue;
  readonly #rounds: Rounds;
  readonly #costs = new ReadCosts();
  #gate: Gate | undefined;
  #tasks: (() => void)[] = [];
  #nextTask = 0;
  #spentMs = 0;
  #usedBeforeMs = 0;
  #turn = 0;
  #epoch = 0;
  #beganMs = 0;
  #works = 0;
  #calls = 0;
  /** A bit is set for each turn that followed at once on another. */
  #busyTurns = 0;
  /** In this turn it had to wait again, right after it was served. */
  #hasMore = false;
  /** Turns one after the other in which it has used time. */
  #turnsInRow = 0;
  #servedTurn = Number.NEGATIVE_INFINITY;
  #readBytes = 0;
  #seenBytes = 0;
  #isRunning = false;
  #isHeld = false;
  #isClosed = false;

  constructor(rounds: Rounds, party: Party) {
    this.#rounds = rounds;
    this.party = party;
    this.place = party.dear;
    this.refresh();
  }

  /**
   * Cost that its next turn may have at worst: as much as its dearest turn, and less with each cheaper piece of work. It may also find
   * that the connection has ended, which ends all of its calls.
   */
  get worstMs(): number {
    // Its first work is its opening.
    return Math.max(this.#costs.worstMs, this.likelyMs, this.#works > 1 ? 0 : FIRST_READ_MS);
  }

  /** Expected cost of its next turn. */
  get expectedMs(): number {
    return this.#costs.expectedMs;
  }

  /** Cost by which it takes its place among those that wait: one with many calls may have ended, and goes later. */
  get likelyMs(): number {
    return Math.max(this.expectedMs, this.#calls * STREAM_END_MS);
  }

  /** Whether it uses little: its turns are short and apart from each other. */
  get hasShortTurns(): boolean {
    if (this.#calls * STREAM_END_MS > SHORT_MS || !this.#costs.isShort) return false;
    return bitsIn(this.#busyTurns) <= busyTurnsOfShort;
  }

  /** A call has come. */
  openCall(): void {
    this.#calls += 1;
    this.charge(STREAM_MS);
  }

  /** A call has ended. */
  endCall(): void {
    this.#calls -= 1;
    this.charge(STREAM_END_MS);
  }

  /** True: the connection waits for its turn. Nothing of it is read, and what comes all the same is put in line. */
  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** True: work runs at once. */
  get isFree(): boolean {
    return !this.isHeld && !this.#isOver;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** The connection can now be stopped. */
  setGate(gate: Gate | undefined): void {
    if (this.#isClosed) return;
    this.#gate = gate;
    if (this.isHeld) gate?.stop();
  }

  /** Runs `work` and measures it: at once, or in its turn if the connection or the listener has used up its time. */
  run(work: () => void): void {
    if (this.#isRunning || this.#isClosed) work();
    else if (this.isFree) this.#measure(work);
    else this.queue(work);
  }

  /** Puts work in line behind all that waits. It is dropped if the connection ends before. */
  queue(work: () => void): void {
    if (this.#isClosed) return;
    this.#tasks.push(work);
    this.#rounds.wait(this);
  }

  /** Charges time that was used beside the work that is measured. */
  charge(ms: number): void {
    this.#spend(ms, true);
  }

  #spend(ms: number, isCounted: boolean): void {
    // The end of a connection takes time of the turn, too.
    if (this.#isClosed) return this.#rounds.spend(ms);
    if (this.#turn !== this.#rounds.turn) this.refresh();
    this.#spentMs += ms;
    this.#costs.add(ms, isCounted);
    this.usedMs += ms;
    this.#rounds.spend(ms, this.place);
    if (this.#isOver) this.#rounds.wait(this);
    else if (this.#spentMs > SHARE_MS / 2) this.#rounds.plan();
  }

  /** Notes bytes of messages that have come. The work on them is measured, so that `chargeUnseen` leaves them out. */
  see(bytes: number): void {
    this.#seenBytes += bytes;
  }

  /** Charges for what Node has read since the last call and handled by itself: frames of HTTP/2 that carry no message. */
  chargeUnseen(): void {
    const unseenBytes = this.#readSince();
    if (unseenBytes > 0) this.charge(unseenBytes * UNSEEN_BYTE_MS);
  }

  /** Bytes that no message had, since the last call. */
  #readSince(): number {
    const readBytes = this.#gate?.bytesRead ?? this.#readBytes;
    const unseenBytes = readBytes - this.#readBytes - this.#seenBytes;
    this.#readBytes = readBytes;
    this.#seenBytes = 0;
    return unseenBytes;
  }

  /** Forgets what was read before: `chargeUnseen` counts from here. */
  watchReads(): void {
    this.#readSince();
  }

  /** Charges the running work so far, and returns its milliseconds since it began or since the last look. 0: none is running. */
  look(): number {
    return this.#isRunning ? this.#lap() : 0;
  }

  #lap(): number {
    const nowMs = this.#rounds.now();
    const ms = nowMs - this.#beganMs;
    this.#beganMs = nowMs;
    this.#spend(ms, false);
    return ms;
  }

  /** The connection has ended: what waits is dropped, and it is read again, so that its end is seen. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#tasks = [];
    this.#rounds.forget(this);
    this.#gate?.start();
  }

  /** Stops the reading, also if the connection's last write has started it again. For `FairTurns`. */
  stop(): void {
    this.#gate?.stop();
  }

  /** Takes note of the present turn. For `FairTurns`. */
  refresh(): void {
    const { turn, epoch } = this.#rounds;
    if (this.#turn === turn) return;
    this.#endTurn(turn);
    if (!this.isHeld) this.chooseLine();
    if (this.#epoch !== epoch) this.usedMs = 0;
    // It was read for a whole turn and nothing came, so it does not count among those that always have more.
    else if (turn - this.#turn > 1 && !this.isHeld) this.usedMs = Math.min(this.usedMs, this.place.virtualMs);
    this.#usedBeforeMs = Math.max(this.usedMs, this.place.virtualMs);
    this.#spentMs = 0;
    this.#epoch = epoch;
    this.#turn = turn;
  }

  /** Begins to wait. For `FairTurns`. */
  hold(): void {
    this.refresh();
    this.usedMs = Math.min(this.usedMs, this.#usedBeforeMs + surprise * this.expectedMs + someMs);
    this.#costs.learn(this.#spentMs);
    if (this.#rounds.turn - this.#servedTurn <= 1) this.#hasMore = true;
    this.chooseLine();
    this.#isHeld = true;
    this.#gate?.stop();
  }

  /** Waits no more. What it was charged while it waited still counts: it was not read then. For `FairTurns`. */
  release(): void {
    this.refresh();
    this.#isHeld = false;
  }

  /** Notes whether the turn that is over followed at once on another. */
  #endTurn(turn: number): void {
    if (this.#spentMs === 0) return;
    this.#turnsInRow = this.#rounds.isBusy && turn - this.#turn === 1 ? this.#turnsInRow + 1 : 0;
    const isBusy = this.#hasMore || this.#turnsInRow >= turnsOfBusy;
    this.#busyTurns = ((this.#busyTurns << 1) | Number(isBusy)) & rememberedTurns;
    this.#hasMore = false;
  }

  /** Chooses the line of its turns. Its lead in the one counts in the other. For `FairTurns`. */
  chooseLine(): void {
    const place = this.hasShortTurns ? this.party.short : this.party.dear;
    if (place === this.place) return;
    place.refresh(this.#rounds.epoch);
    this.usedMs = place.virtualMs + Math.max(0, this.usedMs - this.place.virtualMs);
    this.place = place;
  }

  /** It is the connection's turn: runs what waits until its share is used up, then lets it be read. For `FairTurns`. */
  serve(): void {
    this.refresh();
    this.#servedTurn = this.#rounds.turn;
    this.usedMs = Math.max(this.usedMs, this.startMs);
    this.charge(LEAST_MS);
    while (this.#nextTask < this.#tasks.length && !this.isHeld) {
      const task = this.#tasks[this.#nextTask];
      this.#nextTask += 1;
      if (task !== undefined) this.#measure(task);
    }
    this.#tasks.splice(0, this.#nextTask);
    this.#nextTask = 0;
    this.watchReads();
    if (!this.isHeld && !this.#isClosed) this.#gate?.start();
  }

  get #isOver(): boolean {
    if (this.#turn !== this.#rounds.turn) this.refresh();
    return this.#rounds.isOver || this.#spentMs > SHARE_MS || this.#rounds.isAhead(this);
  }

  #measure(work: () => void): void {
    this.#works += 1;
    this.#isRunning = true;
    this.#beganMs = this.#rounds.now();
    this.#costs.beginWork(this.#beganMs);
    try {
      work();
    } finally {
      this.#beganMs -= EVENT_MS;
      this.#lap();
      this.#isRunning = false;
      this.#costs.endWork(this.#beganMs, this.#spentMs);
    }
  }
}

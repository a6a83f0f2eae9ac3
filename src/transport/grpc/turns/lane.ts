import type { Due } from "../../../core/internal.ts";
import {
  EVENT_MS,
  FIRST_READ_MS,
  LEAST_MS,
  SHARE_MS,
  STREAM_END_MS,
  STREAM_MS,
  UNKNOWN_MS,
  UNSEEN_BYTE_MS,
} from "./costs.ts";
import type { Party } from "./party.ts";

/** The part of `FairTurns` that a lane uses. */
export interface Rounds {
  /** Numbers of the present turn, and of the present busy time: between two of these nothing waits. */
  readonly turn: number;
  readonly epoch: number;
  /** Whether the time of this turn is used up. */
  readonly isOver: boolean;
  /** Whether others wait that have used less than the lane or its party. */
  isAhead(lane: Lane): boolean;
  now(): number;
  /** Notes time that was used. */
  spend(ms: number): void;
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

/** Part of a dear expectation that is left after each cheaper piece of work. */
const calming = 0.75;

/**
 * How much dearer than expected one turn may count. The clock also measures collections of garbage and other processes. A connection
 * that stays dear counts in full after a few turns.
 */
const surprise = 2;
const learning = 2;
const someMs = 0.1;

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
  /** Expected cost of its next turn. */
  expectedMs = UNKNOWN_MS;
  readonly #rounds: Rounds;
  #gate: Gate | undefined;
  #tasks: (() => void)[] = [];
  #nextTask = 0;
  #worstMs = FIRST_READ_MS;
  #spentMs = 0;
  #usedBeforeMs = 0;
  #turn = 0;
  #epoch = 0;
  #beganMs = 0;
  #works = 0;
  #calls = 0;
  #readBytes = 0;
  #seenBytes = 0;
  #isRunning = false;
  #isHeld = false;
  #isClosed = false;

  constructor(rounds: Rounds, party: Party) {
    this.#rounds = rounds;
    this.party = party;
    this.refresh();
  }

  /**
   * Cost that its next turn may have at worst: as much as its dearest turn, and less with each cheaper piece of work. It may also find
   * that the connection has ended, which ends all of its calls.
   */
  get worstMs(): number {
    // Its first work is its opening.
    return Math.max(this.#worstMs, this.likelyMs, this.#works > 1 ? 0 : FIRST_READ_MS);
  }

  /** Cost by which it takes its place among those that wait: one with many calls may have ended, and goes later. */
  get likelyMs(): number {
    return Math.max(this.expectedMs, this.#calls * STREAM_END_MS);
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
    // The end of a connection takes time of the turn, too.
    if (this.#isClosed) return this.#rounds.spend(ms);
    if (this.#turn !== this.#rounds.turn) this.refresh();
    this.#spentMs += ms;
    this.usedMs += ms;
    this.party.spend(ms, this.#rounds.epoch);
    this.#rounds.spend(ms);
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
    this.charge(ms);
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
    this.#learn();
    if (this.#epoch !== epoch) this.usedMs = 0;
    // It was read for a whole turn and nothing came, so it does not count among those that always have more.
    else if (turn - this.#turn > 1 && !this.isHeld) this.usedMs = Math.min(this.usedMs, this.party.virtualMs);
    this.#usedBeforeMs = Math.max(this.usedMs, this.party.virtualMs);
    this.#spentMs = 0;
    this.#epoch = epoch;
    this.#turn = turn;
  }

  /** Begins to wait. For `FairTurns`. */
  hold(): void {
    this.refresh();
    this.usedMs = Math.min(this.usedMs, this.#usedBeforeMs + surprise * this.expectedMs + someMs);
    this.#learn();
    this.#isHeld = true;
    this.#gate?.stop();
  }

  /** Waits no more. What it was charged while it waited still counts: it was not read then. For `FairTurns`. */
  release(): void {
    this.refresh();
    this.#isHeld = false;
  }

  /** Expects more of a connection that has cost more. */
  #learn(): void {
    const spentMs = this.#spentMs;
    this.#worstMs = Math.max(this.#worstMs, spentMs);
    if (spentMs > this.expectedMs) this.expectedMs = Math.min(spentMs, learning * this.expectedMs + someMs);
  }

  /** It is the connection's turn: runs what waits until its share is used up, then lets it be read. For `FairTurns`. */
  serve(): void {
    this.refresh();
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
    try {
      work();
    } finally {
      this.#beganMs -= EVENT_MS;
      this.#lap();
      this.#isRunning = false;
      if (this.#spentMs < this.expectedMs) this.expectedMs = Math.max(this.#spentMs, calming * this.expectedMs);
      if (this.#spentMs < this.#worstMs) this.#worstMs = Math.max(this.#spentMs, calming * this.#worstMs);
    }
  }
}

import { FIRST_READ_MS, SHORT_MS, UNKNOWN_MS, WORK_MS } from "./costs.ts";

/** Part of a dear expectation that is left after each cheaper read or piece of work. */
const calming = 0.75;

/** An expectation grows by this factor at most. */
const learning = 2;
const someMs = 0.1;

/** Between two reads of a connection the event loop does something else. */
const gapMs = 0.2;

/** One bit for each of the last reads. Some may be dear: the clock also measures collections of garbage. */
const rememberedReads = 0xff;
const dearReadsOfShort = 4;

/**
 * Costs of the reads of one connection, and the expected cost of the next one. A read is work that follows on each other. The clock also measures
 * collections of garbage and other processes: so an expectation grows step by step, but at once by what is counted.
 */
export class ReadCosts {
  /** Expected cost of the next read. */
  expectedMs = UNKNOWN_MS;
  /** Cost of a dear read: as much as the dearest turn, and less with each cheaper piece of work. */
  worstMs = FIRST_READ_MS;
  #expectedBeforeMs = UNKNOWN_MS;
  /** Cost of the last read so far. The counted part of it depends on no clock. */
  #readMs = 0;
  #countedMs = 0;
  #countedBeforeMs = 0;
  #endedMs = 0;
  /** A bit is set for each dear read. A new connection counts as dear until it has shown otherwise. */
  #dearReads = rememberedReads;

  /** Whether most of its reads are short, and the last one was not dear by what is counted. */
  get isShort(): boolean {
    return Math.max(this.#countedMs, this.#countedBeforeMs) <= SHORT_MS && bitsIn(this.#dearReads) <= dearReadsOfShort;
  }

  /** Notes time that was used. `isCounted`: no clock has measured it. */
  add(ms: number, isCounted: boolean): void {
    this.#readMs += ms;
    if (isCounted) this.#countedMs += ms;
  }

  /** A piece of work begins: of the last read, or of a new one. */
  beginWork(nowMs: number): void {
    if (nowMs > this.#endedMs + gapMs) this.#beginRead();
    this.#countedMs += WORK_MS;
  }

  /** A piece of work has ended. `turnMs`: time that the connection has used in this turn. */
  endWork(nowMs: number, turnMs: number): void {
    this.#endedMs = nowMs;
    if (turnMs < this.worstMs) this.worstMs = Math.max(turnMs, calming * this.worstMs);
  }

  /** Expects more of a connection that has cost more. `turnMs`: as above. */
  learn(turnMs: number): void {
    this.worstMs = Math.max(this.worstMs, turnMs);
    if (this.#readMs <= this.expectedMs) return;
    this.expectedMs = Math.max(this.#countedMs, Math.min(this.#readMs, learning * this.#expectedBeforeMs + someMs));
  }

  #beginRead(): void {
    this.learn(0);
    if (this.#readMs < this.expectedMs) this.expectedMs = Math.max(this.#readMs, calming * this.expectedMs);
    this.#dearReads = ((this.#dearReads << 1) | Number(this.#readMs > SHORT_MS)) & rememberedReads;
    this.#expectedBeforeMs = this.expectedMs;
    this.#countedBeforeMs = this.#countedMs;
    this.#readMs = 0;
    this.#countedMs = 0;
  }
}

/** Returns how many bits of the number are set. */
export function bitsIn(bits: number): number {
  let count = 0;
  for (let left = bits; left > 0; left >>= 1) count += left & 1;
  return count;
}

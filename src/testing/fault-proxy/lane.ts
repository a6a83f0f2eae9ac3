import type { Socket } from "node:net";
import type { Clock, Timer } from "../../core/internal.ts";
import type { FaultDirection, LastingFault } from "./fault.ts";
import type { ProxyCounters } from "./proxy-counters.ts";

export interface LaneParts {
  readonly direction: FaultDirection;
  readonly source: Socket;
  readonly sink: Socket;
  readonly counters: ProxyCounters;
  readonly clock: Clock;
  /** Returns a number from 0 up to 1, for the jitter of delays. */
  readonly random: () => number;
}

interface Trigger {
  readonly atByte: number;
  readonly fire: () => void;
}

/** Bytes that may wait here before reading stops, as in a network. */
const maxWaitingBytes = 256 * 1024;

/** One direction of a connection: reads from its source and writes to its sink, as its faults allow. */
export class Lane {
  readonly #parts: LaneParts;
  readonly #waiting: { readonly bytes: Buffer; readonly dueMs: number }[] = [];
  readonly #triggers: Trigger[] = [];
  readonly #faults = new LaneFaults();
  #end: "open" | "due" | "ended" = "open";
  #isCut = false;
  #waitingBytes = 0;
  #passedBytes = 0;
  #lastDueMs = 0;
  #freeAtMs = 0;
  /** A write must finish before anything else: a trigger waits for it, or the sink is full. */
  #isWriting = false;
  #timer: Timer | undefined;

  constructor(parts: LaneParts) {
    this.#parts = parts;
    parts.source.on("data", (bytes: Buffer) => this.#take(bytes));
    parts.source.on("end", () => this.#finish());
  }

  get isDropping(): boolean {
    return this.#faults.newest("drop") !== undefined;
  }

  /** A lane that was cut holds nothing back. */
  get #isStalled(): boolean {
    return !this.#isCut && this.#faults.newest("stall") !== undefined;
  }

  /** Calls back when exactly `atByte` bytes have passed; immediately if more have. */
  addTrigger(atByte: number, fire: () => void): void {
    this.#triggers.push({ atByte, fire });
    this.#triggers.sort((a, b) => a.atByte - b.atByte);
    this.#pump();
  }

  begin(fault: LastingFault): void {
    this.#faults.begin(fault);
    if (fault.kind === "drop") this.#dropWaiting();
    this.#pump();
  }

  /** Ends one fault, and keeps others of its kind. Without an argument: ends all. */
  heal(fault?: LastingFault): void {
    this.#faults.end(fault);
    if (this.#faults.newest("throttle") === undefined) this.#freeAtMs = 0;
    this.#pump();
  }

  /** Ends the sink's stream after the bytes already passed on; discards waiting and later bytes. */
  cut(): void {
    this.#end = "due";
    this.#isCut = true;
    this.#dropWaiting();
    this.#pump();
  }

  /** Stops all timers; the connection closes the sockets. */
  abandon(): void {
    this.#timer?.cancel();
    this.#end = "ended";
    this.#waiting.length = 0;
  }

  /** Passes the source's end on after the waiting bytes. A `drop` fault swallows it. */
  #finish(): void {
    if (this.isDropping || this.#end !== "open") return;
    this.#end = "due";
    this.#pump();
  }

  #take(bytes: Buffer): void {
    if (this.isDropping || this.#end !== "open") return this.#drop(bytes);
    const { clock, random } = this.#parts;
    const delay = this.#faults.newest("delay");
    const delayMs = delay === undefined ? 0 : delay.delayMs + random() * (delay.jitterMs ?? 0);
    // Bytes never overtake earlier ones.
    this.#lastDueMs = Math.max(this.#lastDueMs, clock.now() + delayMs);
    this.#waiting.push({ bytes, dueMs: this.#lastDueMs });
    this.#waitingBytes += bytes.length;
    this.#pump();
  }

  #drop(bytes: Buffer): void {
    this.#parts.counters.droppedBytes += bytes.length;
  }

  #dropWaiting(): void {
    for (const { bytes } of this.#waiting.splice(0)) this.#drop(bytes);
    this.#waitingBytes = 0;
  }

  #pump(): void {
    this.#fireReached();
    while (this.#canWrite()) this.#writeNext();
    this.#endWhenDone();
    const { source } = this.#parts;
    if (this.#isStalled || this.#waitingBytes >= maxWaitingBytes) source.pause();
    else source.resume();
  }

  /** Whether the first waiting bytes may pass now; otherwise sets the timer. */
  #canWrite(): boolean {
    const first = this.#waiting[0];
    if (first === undefined || this.#isStalled || this.#isWriting) return false;
    const { clock, sink } = this.#parts;
    if (sink.destroyed || sink.writableEnded) {
      this.#dropWaiting();
      return false;
    }
    const waitMs = Math.max(first.dueMs, this.#freeAtMs) - clock.now();
    if (waitMs <= 0) return true;
    this.#timer?.cancel();
    this.#timer = clock.setTimer(waitMs, () => this.#pump());
    return false;
  }

  #writeNext(): void {
    const first = this.#waiting.shift();
    if (first === undefined) return;
    const { clock, direction, sink, counters } = this.#parts;
    const { bytesPerSecond = Number.POSITIVE_INFINITY } = this.#faults.newest("throttle") ?? {};
    const untilTrigger = (this.#triggers[0]?.atByte ?? Number.POSITIVE_INFINITY) - this.#passedBytes;
    // A throttled lane passes a fiftieth of a second's worth at a time.
    const length = Math.min(first.bytes.length, untilTrigger, Math.max(1, Math.floor(bytesPerSecond / 50)));
    if (length < first.bytes.length) {
      this.#waiting.unshift({ bytes: first.bytes.subarray(length), dueMs: first.dueMs });
    }
    this.#waitingBytes -= length;
    this.#passedBytes += length;
    this.#freeAtMs = Math.max(this.#freeAtMs, clock.now()) + (length * 1_000) / bytesPerSecond;
    counters.passed(direction, length);
    const mayGoOn = sink.write(first.bytes.subarray(0, length), () => {
      if (!this.#isWriting) return;
      this.#isWriting = false;
      this.#pump();
    });
    this.#isWriting = !mayGoOn || length === untilTrigger;
  }

  #fireReached(): void {
    while (!this.#isWriting && (this.#triggers[0]?.atByte ?? Number.POSITIVE_INFINITY) <= this.#passedBytes) {
      this.#triggers.shift()?.fire();
    }
  }

  #endWhenDone(): void {
    if (this.#end !== "due" || this.#waiting.length > 0 || this.#isStalled) return;
    this.#end = "ended";
    this.#parts.sink.end();
  }
}

/** Lasting faults of a lane. Of several of one kind the newest applies, and each ends by itself. */
class LaneFaults {
  #active: LastingFault[] = [];

  begin(fault: LastingFault): void {
    this.#active.push(fault);
  }

  /** Ends one fault, or all; ignores one that has ended. */
  end(fault?: LastingFault): void {
    this.#active = fault === undefined ? [] : this.#active.filter((active) => active !== fault);
  }

  newest<Kind extends LastingFault["kind"]>(kind: Kind): Extract<LastingFault, { kind: Kind }> | undefined {
    const isOfKind = (fault: LastingFault): fault is Extract<LastingFault, { kind: Kind }> => fault.kind === kind;
    return this.#active.findLast(isOfKind);
  }
}

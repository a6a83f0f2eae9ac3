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
  /** From 0 up to 1, for the jitter of delays. */
  readonly random: () => number;
}

interface Trigger {
  readonly atByte: number;
  readonly fire: () => void;
}

/** Bytes that wait here before the source is no longer read: what a network holds. */
const maxWaitingBytes = 256 * 1024;

/** One direction of a connection: takes bytes of its source, and passes them to its sink as its faults allow. */
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
  /** A write that must be through before anything else happens: a trigger waits for it, or the sink is full. */
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

  /** A lane that was cut has nothing left to hold back. */
  get #isStalled(): boolean {
    return !this.#isCut && this.#faults.newest("stall") !== undefined;
  }

  /** Calls back when exactly `atByte` bytes have been passed on; at once when it is past. */
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

  /** Ends one fault; others go on, also of its kind. Without one it ends them all. */
  heal(fault?: LastingFault): void {
    this.#faults.end(fault);
    if (this.#faults.newest("throttle") === undefined) this.#freeAtMs = 0;
    this.#pump();
  }

  /** Ends the sink's stream after what has been passed on; what waits and what comes later is thrown away. */
  cut(): void {
    this.#end = "due";
    this.#isCut = true;
    this.#dropWaiting();
    this.#pump();
  }

  /** Stops all timers; the sockets are the connection's. */
  abandon(): void {
    this.#timer?.cancel();
    this.#end = "ended";
    this.#waiting.length = 0;
  }

  /** The source's own end: it is passed on after what waits. A black hole swallows it. */
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
    // Nothing overtakes what came before it.
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

  /** Whether the first waiting bytes may go now; sets the timer when it's too early. */
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

/** The faults that last on a lane. Several of a kind may overlap: the newest counts, and each ends for itself. */
export class LaneFaults {
  #active: LastingFault[] = [];

  begin(fault: LastingFault): void {
    this.#active.push(fault);
  }

  /** Ends one of them, or all; one that has ended already is passed over. */
  end(fault?: LastingFault): void {
    this.#active = fault === undefined ? [] : this.#active.filter((active) => active !== fault);
  }

  newest<Kind extends LastingFault["kind"]>(kind: Kind): Extract<LastingFault, { kind: Kind }> | undefined {
    const isOfKind = (fault: LastingFault): fault is Extract<LastingFault, { kind: Kind }> => fault.kind === kind;
    return this.#active.findLast(isOfKind);
  }
}

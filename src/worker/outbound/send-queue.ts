import { CancelledError, type Timer, UndeliverableException } from "../../core/internal.ts";
import { assertLength, type Outbox, type UndeliverableReason } from "../connection/outbox.ts";
import type { WorkerCounters } from "../worker-counters.ts";
import type { WorkerSettings } from "../worker-options.ts";

/** A call or an event that is to leave. */
export interface QueuedMessage {
  readonly kind: "call" | "event";
  readonly bytes: Uint8Array;
  /** It has been handed to this connection. Not called after `onFailed`. */
  onSent?(outbox: Outbox): void;
  /** It will never be sent: too long for this host, no host in time, the worker stops. */
  onFailed(error: Error): void;
}

/** One that waits to leave. */
export interface Waiting {
  readonly departure: QueuedMessage;
  /** Its bytes as they are to be when it leaves, where waiting has changed them. Never longer. */
  renew: (() => Uint8Array) | undefined;
  /** Runs while there is no host. */
  timer: Timer | undefined;
}

/**
 * What this worker sends by its own will, in the order it was given: at once where the host takes it, else it waits here,
 * for room or for a host, within bounds (W1, W23). Outlives connections.
 */
export class SendQueue {
  readonly #settings: WorkerSettings;
  readonly #counts: WorkerCounters;
  readonly #waiting = new Set<Waiting>();
  #waitingBytes = 0;
  #outbox: Outbox | undefined;
  #closedBecause: UndeliverableReason | undefined;
  readonly #onEmpty = new Set<() => void>();

  constructor(settings: WorkerSettings, counts: WorkerCounters) {
    this.#settings = settings;
    this.#counts = counts;
  }

  /** Calls and events that wait here. */
  get waitingCount(): number {
    return this.#waiting.size;
  }

  /**
   * Sends now, or waits, and can be taken back as long as it does. Returns undefined when it has left. Throws
   * `message-too-large`, `overloaded`, or `UndeliverableException` when there is no host and it may not wait for one.
   */
  post(departure: QueuedMessage): Waiting | undefined {
    if (this.#closedBecause !== undefined) throw unreachable(this.#closedBecause);
    assertLength(departure.bytes, this.#settings.maxMessageBytes);
    if (
      this.#waiting.size === 0 &&
      this.#outbox?.isWritable === true &&
      this.#leave(departure, departure.bytes, this.#outbox)
    )
      return;
    this.#assertPlace(departure);
    const waiting: Waiting = { departure, renew: undefined, timer: undefined };
    this.#waiting.add(waiting);
    this.#waitingBytes += departure.bytes.length;
    if (this.#outbox === undefined) this.#limitWait(waiting);
    else this.#flush();
    return waiting;
  }

  /** It is not to leave any more; nothing happens if it has left. */
  takeBack(waiting: Waiting): void {
    this.#remove(waiting);
  }

  /** Posts an event; resolves when it is sent or queued within the bounds. Rejects as `post` throws, and with `CancelledError` when the signal aborts first. */
  publish(bytes: Uint8Array, signal: AbortSignal | undefined): Promise<void> | undefined {
    if (signal?.aborted === true) throw new CancelledError("Publishing was cancelled.", { cause: signal.reason });
    if (this.#hasRoom(bytes.length)) {
      this.post({ kind: "event", bytes, onFailed: () => this.#countLost() });
      return;
    }
    return new Promise<void>((resolve, reject) => {
      const onAbort = () => {
        if (waiting !== undefined) this.takeBack(waiting);
        reject(new CancelledError("Publishing was cancelled.", { cause: signal?.reason }));
      };
      const settled = () => signal?.removeEventListener("abort", onAbort);
      const waiting = this.post({
        kind: "event",
        bytes,
        onSent: () => {
          settled();
          resolve();
        },
        onFailed: (error) => {
          settled();
          reject(error);
        },
      });
      signal?.addEventListener("abort", onAbort);
    });
  }

  /** There is a host: what waits leaves, as fast as it is taken. */
  attach(outbox: Outbox): void {
    this.#outbox = outbox;
    for (const waiting of this.#waiting) waiting.timer?.cancel();
    this.#flush();
  }

  /** There is none any more. Events wait for the next; calls only as long as they may. */
  detach(): void {
    this.#outbox = undefined;
    for (const waiting of [...this.#waiting]) this.#limitWait(waiting);
  }

  /** The present host takes more again. */
  drained(): void {
    this.#flush();
  }

  /** Resolves when nothing waits here. */
  async emptied(): Promise<void> {
    if (this.#waiting.size > 0) await new Promise<void>((resolve) => this.#onEmpty.add(resolve));
  }

  /** Nothing leaves any more: what waits fails, and accepted events are counted as lost. Returns how many those were. */
  close(reason: UndeliverableReason): number {
    this.#closedBecause = reason;
    this.#outbox = undefined;
    const before = this.#counts.lostEvents;
    for (const waiting of [...this.#waiting]) this.#fail(waiting, unreachable(reason));
    return this.#counts.lostEvents - before;
  }

  /** After a `close`, for the next run. */
  reopen(): void {
    this.#closedBecause = undefined;
  }

  /** Whether the sender of an event of this length need not wait for room. */
  #hasRoom(length: number): boolean {
    if (this.#outbox === undefined || this.#waiting.size === 0) return true;
    const { maxOutboxBytes, maxOutboxMessages } = this.#settings;
    return this.#waiting.size < maxOutboxMessages && this.#waitingBytes + length <= maxOutboxBytes;
  }

  /** Throws when it may not even wait. */
  #assertPlace({ kind, bytes }: QueuedMessage): void {
    const { maxOutboxBytes, maxOutboxMessages, whileDisconnected } = this.#settings;
    const total = this.#waitingBytes + bytes.length;
    if (this.#outbox !== undefined) {
      const isRoomy = this.#waiting.size < 2 * maxOutboxMessages && total <= 2 * maxOutboxBytes;
      if (this.#waiting.size === 0 || isRoomy) return;
      throw this.#overloaded("the host takes too slowly what is sent");
    }
    const { events, maxQueuedMessages, maxQueuedBytes } = whileDisconnected;
    if (kind === "event" && events === "reject") {
      throw new UndeliverableException("There is no connection to a host at the moment.", { code: "disconnected" });
    }
    if (this.#waiting.size < maxQueuedMessages && total <= maxQueuedBytes) return;
    throw this.#overloaded("there is no connection to a host");
  }

  #overloaded(why: string): Error {
    this.#counts.overloadedSends += 1;
    const text = `${this.#waiting.size} messages (${this.#waitingBytes} bytes) wait to be sent: ${why}. Send more slowly, or later.`;
    return new UndeliverableException(text, { code: "overloaded" });
  }

  /** Without a host a call waits only so long. */
  #limitWait(waiting: Waiting): void {
    const { calls, callWaitMs } = this.#settings.whileDisconnected;
    if (waiting.departure.kind !== "call" || calls === "queue") return;
    const giveUp = () =>
      this.#fail(
        waiting,
        new UndeliverableException(
          `There is no connection to a host, and none came within ${callWaitMs} ms. The call was not sent.`,
          { code: "disconnected" },
        ),
      );
    waiting.timer = this.#settings.clock.setTimer(callWaitMs, giveUp, { keepAlive: true });
  }

  #flush(): void {
    for (const waiting of this.#waiting) {
      const outbox = this.#outbox;
      if (outbox?.isWritable !== true) return;
      const { departure } = waiting;
      if (departure.bytes.length > outbox.maxBytes && outbox.awaitsHeaders) {
        void outbox.headersCame(this.#settings.clock).then(() => this.#flush());
        return;
      }
      try {
        if (!this.#leave(departure, waiting.renew?.() ?? departure.bytes, outbox)) return;
        this.#remove(waiting);
      } catch (error) {
        this.#fail(waiting, error instanceof Error ? error : new Error(String(error)));
      }
    }
  }

  /** False: it has to wait, for the host's headers or, since the connection has just ended, for the next one. Throws `message-too-large`. */
  #leave(departure: QueuedMessage, bytes: Uint8Array, outbox: Outbox): boolean {
    if (bytes.length > outbox.maxBytes && outbox.awaitsHeaders) return false;
    if (!outbox.write(bytes, departure.kind === "event" ? "event" : "other")) return false;
    departure.onSent?.(outbox);
    return true;
  }

  #fail(waiting: Waiting, error: Error): void {
    if (!this.#remove(waiting)) return;
    waiting.departure.onFailed(error);
  }

  #countLost(): void {
    this.#counts.lostEvents += 1;
  }

  #remove(waiting: Waiting): boolean {
    waiting.timer?.cancel();
    if (!this.#waiting.delete(waiting)) return false;
    this.#waitingBytes -= waiting.departure.bytes.length;
    if (this.#waiting.size === 0) {
      for (const resolve of this.#onEmpty) resolve();
      this.#onEmpty.clear();
    }
    return true;
  }
}

function unreachable({ code, text }: UndeliverableReason): Error {
  return new UndeliverableException(text, { code });
}

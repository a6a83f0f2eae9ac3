import { CancelledError, followAbort, NotAccessibleError, unfollowAbort } from "../../core/internal.ts";
import {
  assertLength,
  type Outbox,
  type QueuedMessage,
  type UndeliverableReason,
  type WaitingMessage as Waiting,
} from "../connection/outbox.ts";
import type { OutboundQueue } from "../connection/supervisor-options.ts";
import type { WorkerCounters } from "../worker-counters.ts";
import type { WorkerSettings } from "../worker-options.ts";
import { SendRefusals, unreachable } from "./send-refusals.ts";

export type { QueuedMessage, WaitingMessage as Waiting } from "../connection/outbox.ts";

/**
 * Queue of outgoing calls and events, in the order of sending; survives reconnects. A message leaves at once if the host takes
 * it. Otherwise it waits, within bounds, for the host or for a connection. The connection supervisor sets the connection.
 */
// protocol.md W1, W23
export class SendQueue implements OutboundQueue {
  readonly #settings: WorkerSettings;
  readonly #counts: WorkerCounters;
  readonly #waiting = new Set<Waiting>();
  #waitingBytes = 0;
  #outbox: Outbox | undefined;
  /** Messages wait for a short time, although there is a connection. */
  #isHeld = false;
  #closedBecause: UndeliverableReason | undefined;
  #run = 0;
  readonly #refusals: SendRefusals;
  readonly #onStranded: () => void;
  readonly #onEmpty = new Set<() => void>();

  /** `onStranded`: called when a message begins to wait without a connection. */
  constructor(settings: WorkerSettings, counts: WorkerCounters, onStranded: () => void) {
    this.#settings = settings;
    this.#counts = counts;
    this.#refusals = new SendRefusals(settings, counts);
    this.#onStranded = onStranded;
  }

  /** The number of the worker's run. */
  get run(): number {
    return this.#run;
  }

  /** Throws `UndeliverableException` when this run is over. What a run could not send does not leave in the next one. */
  assertRun(run: number): void {
    if (this.#closedBecause !== undefined) throw unreachable(this.#closedBecause);
    if (this.#run !== run) throw unreachable({ code: "shutting-down", text: "The worker has stopped." });
  }

  /** Number of calls and events that wait here. */
  get waitingCount(): number {
    return this.#waiting.size;
  }

  /** Throws as `post` does when the queue takes no message of this kind, however short. It saves the work of encoding one. */
  assertRoom(kind: QueuedMessage["kind"]): void {
    if (this.#waiting.size > 0) this.#assertPlace(kind, 1);
  }

  /**
   * Sends a message or queues it. Returns undefined when it has left, else an entry that `takeBack` removes. Throws
   * `message-too-large`, `overloaded`, or `UndeliverableException` when there is no connection and it may not wait.
   */
  post(departure: QueuedMessage): Waiting | undefined {
    if (this.#closedBecause !== undefined) throw unreachable(this.#closedBecause);
    assertLength(departure.bytes, this.#settings.maxMessageBytes);
    if (
      this.#waiting.size === 0 &&
      !this.#isHeld &&
      this.#outbox?.isWritable === true &&
      this.#leave(departure, departure.bytes, this.#outbox)
    )
      return;
    this.#assertPlace(departure.kind, departure.bytes.length);
    const waiting: Waiting = { departure, renew: undefined, timer: undefined };
    this.#waiting.add(waiting);
    this.#waitingBytes += departure.bytes.length;
    if (this.#outbox === undefined) {
      this.#limitWait(waiting);
      this.#onStranded();
    } else this.#flush();
    return waiting;
  }

  /** Removes a message from the queue; does nothing if it has left. */
  takeBack(waiting: Waiting): void {
    this.#remove(waiting);
  }

  /**
   * Posts an event. Resolves when the event is sent or queued within the bounds. Rejects as `post` throws, and with
   * `CancelledError` when the signal aborts first.
   */
  publish(
    event: Pick<QueuedMessage, "bytes" | "withoutPath">,
    signal: AbortSignal | undefined,
  ): Promise<void> | undefined {
    if (signal?.aborted === true) throw new CancelledError("Publishing was cancelled.", { cause: signal.reason });
    if (this.#hasRoom(event.bytes.length)) {
      this.post(this.#lostIfFailed(event));
      return;
    }
    return new Promise<void>((resolve, reject) => {
      let isSettled = false;
      const onAbort = () => {
        if (waiting !== undefined) this.takeBack(waiting);
        reject(new CancelledError("Publishing was cancelled.", { cause: signal?.reason }));
      };
      const settled = () => {
        isSettled = true;
        unfollowAbort(signal, onAbort);
      };
      const waiting = this.post({
        kind: "event",
        bytes: event.bytes,
        withoutPath: event.withoutPath,
        onSent: () => {
          settled();
          resolve();
        },
        onFailed: (error) => {
          settled();
          reject(error);
        },
      });
      // The host may take the event within `post`.
      if (!isSettled) followAbort(signal, onAbort);
    });
  }

  /**
   * Sends to this connection from now on, as fast as it takes messages. Undefined: events wait; calls wait within their limit.
   * While it is held, messages wait as for a slow host.
   */
  follow(outbox: Outbox | undefined, isHeld = false): void {
    if (outbox === this.#outbox && isHeld === this.#isHeld) return;
    const isOther = outbox !== this.#outbox;
    this.#outbox = outbox;
    this.#isHeld = isHeld;
    if (isOther) {
      for (const waiting of this.#waiting) {
        waiting.timer?.cancel();
        if (outbox === undefined) this.#limitWait(waiting);
      }
    }
    this.#flush();
  }

  /** Takes back messages after a refusal. They leave before all others, in their order. */
  putBack(messages: readonly QueuedMessage[]): void {
    const later = [...this.#waiting];
    this.#waiting.clear();
    for (const message of messages) {
      // `publish` has resolved for the event, so that only the counter shows its loss.
      const departure = message.kind === "call" ? message : this.#lostIfFailed(message);
      if (this.#closedBecause !== undefined) {
        departure.onFailed(unreachable(this.#closedBecause));
        continue;
      }
      const waiting: Waiting = { departure, renew: undefined, timer: undefined };
      if (departure.onReturned?.(waiting) === false) continue;
      this.#waiting.add(waiting);
      this.#waitingBytes += departure.bytes.length;
      if (this.#outbox === undefined) this.#limitWait(waiting);
    }
    for (const waiting of later) this.#waiting.add(waiting);
    this.#flush();
  }

  /** Sends on when a connection takes messages again. */
  drained(outbox: Outbox): void {
    if (outbox === this.#outbox) this.#flush();
  }

  /** Resolves when nothing waits here. */
  async emptied(): Promise<void> {
    if (this.#waiting.size > 0) await new Promise<void>((resolve) => this.#onEmpty.add(resolve));
  }

  /** Closes the queue: queued messages fail, and accepted events count as lost. Returns the number of lost events. */
  close(reason: UndeliverableReason): number {
    this.#closedBecause = reason;
    this.#outbox = undefined;
    const before = this.#counts.lostEvents;
    for (const waiting of [...this.#waiting]) this.#fail(waiting, unreachable(reason));
    return this.#counts.lostEvents - before;
  }

  /** Opens the queue again after `close`, for the next run. */
  reopen(): void {
    this.#closedBecause = undefined;
    this.#run += 1;
  }

  /** Whether an event of this length fits into the bounds, so that its publisher need not wait. */
  #hasRoom(length: number): boolean {
    if (this.#outbox === undefined || this.#waiting.size === 0) return true;
    const { maxOutboxBytes, maxOutboxMessages } = this.#settings;
    return this.#waiting.size < maxOutboxMessages && this.#waitingBytes + length <= maxOutboxBytes;
  }

  /** Throws when the message may not wait in the queue. */
  #assertPlace(kind: QueuedMessage["kind"], length: number): void {
    const { maxOutboxBytes, maxOutboxMessages, whileDisconnected } = this.#settings;
    const total = this.#waitingBytes + length;
    if (this.#outbox !== undefined) {
      const isRoomy = this.#waiting.size < 2 * maxOutboxMessages && total <= 2 * maxOutboxBytes;
      if (this.#waiting.size === 0 || isRoomy) return;
      throw this.#refuse("the host takes too slowly what is sent");
    }
    const { events, maxQueuedMessages, maxQueuedBytes } = whileDisconnected;
    if (kind === "event" && events === "reject") {
      throw unreachable({ code: "disconnected", text: "There is no connection to a host at the moment." });
    }
    if (this.#waiting.size < maxQueuedMessages && total <= maxQueuedBytes) return;
    throw this.#refuse("there is no connection to a host");
  }

  #refuse(why: string): Error {
    return this.#refusals.refuse({ messages: this.#waiting.size, bytes: this.#waitingBytes }, why);
  }

  /** Limits the wait of a call for a connection. */
  #limitWait(waiting: Waiting): void {
    const { calls, callWaitMs } = this.#settings.whileDisconnected;
    if (waiting.departure.kind !== "call" || calls === "queue") return;
    const giveUp = () =>
      this.#fail(
        waiting,
        unreachable({
          code: "disconnected",
          text: `There is no connection to a host, and none came within ${callWaitMs} ms. The call was not sent.`,
        }),
      );
    waiting.timer = this.#settings.clock.setTimer(callWaitMs, giveUp, { keepAlive: true });
  }

  #flush(): void {
    for (const waiting of this.#waiting) {
      const outbox = this.#outbox;
      if (this.#isHeld || outbox?.isWritable !== true) return;
      const { departure } = waiting;
      if (outbox.host.isAwaited && needsHeaders(departure, departure.bytes, outbox)) {
        void outbox.host.came(this.#settings.clock).then(() => this.#flush());
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

  /**
   * Hands a message to the connection. Returns false when the message must wait: for the host's headers, or for the next
   * connection, because this one has just ended. Throws `message-too-large`, and `not-accessible` for a told message that the host of this
   * connection would not keep.
   */
  #leave(departure: QueuedMessage, bytes: Uint8Array, outbox: Outbox): boolean {
    if (outbox.host.isAwaited && needsHeaders(departure, bytes, outbox)) return false;
    // A connection that ended before its host's headers says nothing about the host.
    if (departure.isTold === true && !outbox.isClosed && !outbox.host.knowsMail)
      throw new NotAccessibleError(maillessText);
    const sent = formFor(departure, outbox)?.() ?? bytes;
    if (!outbox.write(sent, departure.kind === "event" ? "event" : "other")) return false;
    departure.onSent?.(outbox);
    if (outbox.isKeeping) outbox.keep(departure);
    return true;
  }

  #fail(waiting: Waiting, error: Error): void {
    if (!this.#remove(waiting)) return;
    waiting.departure.onFailed(error);
  }

  /** Makes the message of an event that no caller waits for: only the counter shows its loss. */
  #lostIfFailed({ bytes, withoutPath }: Pick<QueuedMessage, "bytes" | "withoutPath">): QueuedMessage {
    // Written out: V8 takes 0.5 µs for fields behind a spread.
    return { kind: "event", bytes, withoutPath, onFailed: () => this.#countLost() };
  }

  #countLost(): void {
    this.#counts.lostEvents += 1;
  }

  #remove(waiting: Waiting): boolean {
    waiting.timer?.cancel();
    if (!this.#waiting.delete(waiting)) return false;
    this.#waitingBytes -= waiting.departure.bytes.length;
    if (this.#waiting.size === 0) {
      this.#refusals.end();
      for (const resolve of this.#onEmpty) resolve();
      this.#onEmpty.clear();
    }
    return true;
  }
}

const maillessText =
  "The host of this worker keeps no messages: the told message was not sent. Use a host with a state store.";

/** Returns what makes the bytes for a host that does not know all that the message has. Undefined: the host knows it. */
function formFor({ withoutPath, withoutStream }: QueuedMessage, { host }: Outbox): (() => Uint8Array) | undefined {
  if (withoutPath !== undefined && !host.knowsTurns) return withoutPath;
  return withoutStream === undefined || host.knowsStreams ? undefined : withoutStream;
}

/** Whether the form of a message, or whether it leaves, depends on what the host says in its headers. */
function needsHeaders(message: QueuedMessage, bytes: Uint8Array, { maxBytes }: Outbox): boolean {
  const { withoutPath, withoutStream, isTold } = message;
  return bytes.length > maxBytes || withoutPath !== undefined || withoutStream !== undefined || isTold === true;
}

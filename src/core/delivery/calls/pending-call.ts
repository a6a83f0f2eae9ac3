import { longestTimerMs } from "../../clock.ts";
import { type CancelledError, TimedOutError } from "../../errors.ts";
import { followAbort, unfollowAbort } from "../../follow-abort.ts";
import type { Deadline } from "../../scope/deadline.ts";
import type { CountedCall } from "../../scope/handler-scope.ts";
import { abortError, type CallBounds } from "./call-bounds.ts";
import { type DeadlineQueue, deadlineQueueOf, type Expiring, nowhere } from "./deadline-queue.ts";

/**
 * One call that waits for its answer: a promise that settles exactly once, by an answer, an error, its deadline or its
 * signal. A settled call leaves no deadline and no listener behind, and refuses later outcomes with `false`.
 */
export class PendingCall<Answer> implements Expiring {
  readonly promise: Promise<Answer>;
  dueMs = 0;
  dueOrder = 0;
  duePlace: number = nowhere;
  duePrevious: Expiring | undefined;
  dueNext: Expiring | undefined;
  /** The call as it is counted, which ends with it. Undefined: it is not counted. */
  counted: CountedCall | undefined;
  #resolve!: (answer: Answer) => void;
  #reject!: (error: unknown) => void;
  #settled = false;
  #timeoutMs: number | undefined;
  #recipient: { toString(): string } | undefined;
  /** Set while the call stands in the deadline queue. */
  #queue: DeadlineQueue | undefined;
  #signal: AbortSignal | undefined;

  constructor() {
    this.promise = new Promise<Answer>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  get keepsProcessAlive(): boolean {
    return true;
  }

  get isSettled(): boolean {
    return this.#settled;
  }

  resolve(answer: Answer): boolean {
    if (this.#settled) return false;
    this.#release();
    this.#resolve(answer);
    return true;
  }

  reject(error: unknown): boolean {
    if (this.#settled) return false;
    this.#release();
    this.#reject(error);
    return true;
  }

  /**
   * Ends the call at the deadline or when the signal aborts. Does nothing when the call is settled. Call it once at most.
   * `deadline` is the moment at which the timeout of the bounds is over; `recipient` stands in the text of the error.
   */
  within({ signal, timeoutMs }: CallBounds, deadline: Deadline | undefined, recipient?: { toString(): string }): void {
    if (this.#settled) return;
    if (signal?.aborted) {
      this.#giveUp(abortError(signal));
      return;
    }
    if (signal !== undefined) {
      this.#signal = signal;
      followAbort(signal, this);
    }
    if (deadline === undefined || timeoutMs === undefined || timeoutMs > longestTimerMs) return;
    this.#timeoutMs = timeoutMs;
    this.#recipient = recipient;
    this.#queue = deadlineQueueOf(deadline.clock);
    this.#queue.add(this, deadline);
  }

  /** Called by the signal. */
  handleEvent(): void {
    if (this.#signal !== undefined) this.#giveUp(abortError(this.#signal));
  }

  /** Called by the deadline queue. */
  onDue(): void {
    this.#giveUp(new TimedOutError(this.describeTimeout(this.#timeoutMs, this.#recipient)));
  }

  /** Returns the text of `TimedOutError`. */
  protected describeTimeout(ms: number | undefined, recipient: { toString(): string } | undefined): string {
    const text = timedOutText(ms, recipient, this.messageType);
    return this.whyUnanswered === undefined ? text : `${text} ${this.whyUnanswered}`;
  }

  /** The type of the message, for the text of `TimedOutError`; undefined if it is not known. */
  protected get messageType(): string | undefined {
    return undefined;
  }

  /** A sentence about the reason, for the text of `TimedOutError`; undefined if the call adds no reason. */
  protected get whyUnanswered(): string | undefined {
    return undefined;
  }

  /** Called once if a bound ends the call, before its promise rejects with the same error. */
  protected onGivenUp(_error: TimedOutError | CancelledError): void {}

  #giveUp(error: TimedOutError | CancelledError): void {
    if (this.#settled) return;
    this.#release();
    try {
      this.onGivenUp(error);
    } finally {
      this.#reject(error);
    }
  }

  #release(): void {
    this.#settled = true;
    this.counted?.end();
    if (this.#queue !== undefined) {
      this.#queue.remove(this);
      this.#queue = undefined;
    }
    if (this.#signal !== undefined) {
      unfollowAbort(this.#signal, this);
      this.#signal = undefined;
    }
  }
}

/** Returns the text of a call's timeout, wherever it was noticed: who did not answer what in which time, and what to do. */
export function timedOutText(
  ms: number | string | undefined,
  recipient?: { toString(): string },
  messageType?: string,
): string {
  const from = recipient === undefined ? "" : ` from ${recipient.toString()}`;
  const to = messageType === undefined ? "" : ` to ${messageType}`;
  const advice =
    "Give the call a larger timeoutMs if its handler needs longer (a host's callTimeoutMs is a limit, too). The handler may have run.";
  return `No answer${from}${to} within ${ms} ms. ${advice}`;
}

/** As `timedOutText`, for a call that an intervention still held back: nothing was sent. */
export function undecidedText(ms: number | undefined, recipient: { toString(): string } | undefined): string {
  const to = recipient === undefined ? "" : ` to ${recipient.toString()}`;
  return `An intervention (onSend) had not decided about the call${to} within ${ms} ms. The message was not sent.`;
}

/** As `timedOutText`, for an answer that an intervention still held back. */
export function answerUndecidedText(ms: number | undefined, recipient: { toString(): string } | undefined): string {
  const from = recipient === undefined ? "" : ` from ${recipient.toString()}`;
  return `An intervention (onResponse) had not decided about the answer${from} within ${ms} ms. The handler has run.`;
}

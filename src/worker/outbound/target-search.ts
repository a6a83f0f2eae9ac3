import {
  abortError,
  type CallBounds,
  type Clock,
  followAbort,
  noTimeLeftError,
  notServedError,
  unfollowAbort,
} from "../../core/internal.ts";
import {
  metadataKey,
  type ResponseFrame,
  retryAfterMsIn,
  saysNotHandled,
  type WireMetadata,
} from "../../protocol/internal.ts";
import { backOffMs } from "../connection/connect-with-retry.ts";

export interface TargetSearchOptions {
  readonly agentType: string;
  /** Milliseconds that the call waits for its agent type. */
  readonly waitForTarget: number;
  /** Bounds of the whole call, the wait included. */
  readonly bounds: CallBounds;
  readonly clock: Clock;
  readonly random: () => number;
}

/** Delays between two attempts, in milliseconds. */
const searchBackOff = { initialDelayMs: 25, maxDelayMs: 1_000, factor: 2, jitter: 0.5 };

/** The wait of one call until a worker serves its agent type: the call is sent again until then (option `waitForTarget`). */
export class TargetSearch {
  readonly #options: TargetSearchOptions;
  readonly #startMs: number;
  #attempts = 0;
  #end: ((error: Error) => void) | undefined;

  constructor(options: TargetSearchOptions) {
    this.#options = options;
    this.#startMs = options.clock.now();
  }

  /**
   * Resolves when it is time for another attempt, to what is left of the call's bounds. Rejects with the outcome of the call: its
   * signal aborted, its time or the time of the wait is over, or `end` was called. `leastMs`: not before so many milliseconds, which `hasTimeFor` allows.
   */
  async next(leastMs = 0): Promise<CallBounds> {
    const { agentType, waitForTarget, bounds, clock, random } = this.#options;
    const { timeoutMs, signal } = bounds;
    const passedMs = clock.now() - this.#startMs;
    if (passedMs >= waitForTarget) throw notServedError(agentType, waitForTarget);
    const delayMs = Math.max(backOffMs(this.#attempts, searchBackOff, random), leastMs);
    this.#attempts += 1;
    const leftMs = this.#endMs - passedMs;
    await this.#sleep(Math.min(delayMs, leftMs), signal);
    if (timeoutMs === undefined) return bounds;
    const left = timeoutMs - (clock.now() - this.#startMs);
    if (left <= 0) throw noTimeLeftError(agentType, timeoutMs);
    return { signal, timeoutMs: left };
  }

  /** Whether the call was sent again already, and the wait lasts for longer than these milliseconds. */
  hasTimeFor(ms: number): boolean {
    return this.#attempts > 0 && this.#options.clock.now() - this.#startMs + ms < this.#endMs;
  }

  /** Milliseconds from the start of the wait to its end. */
  get #endMs(): number {
    const { waitForTarget, bounds } = this.#options;
    return Math.min(waitForTarget, bounds.timeoutMs ?? Number.POSITIVE_INFINITY);
  }

  /** Whether the time of the wait is over. */
  get isOver(): boolean {
    const { waitForTarget, clock } = this.#options;
    return clock.now() - this.#startMs >= waitForTarget;
  }

  /** Rejects the wait that is under way. */
  end(error: Error): void {
    this.#end?.(error);
  }

  async #sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
    let stop = () => {};
    try {
      await new Promise<void>((resolve, reject) => {
        const onAbort = () => signal !== undefined && reject(abortError(signal));
        const timer = this.#options.clock.setTimer(ms, resolve, { keepAlive: true });
        followAbort(signal, onAbort);
        this.#end = reject;
        stop = () => {
          timer.cancel();
          unfollowAbort(signal, onAbort);
        };
        if (signal?.aborted === true) onAbort();
      });
    } finally {
      stop();
      this.#end = undefined;
    }
  }
}

// protocol.md §2.5
/**
 * The milliseconds after which a call may be sent again that a quota of the host has refused. Undefined: the answer says something else. A wait sends
 * its call many times, so that it may use a quota up by itself.
 */
export function quotaHintIn({ metadata }: ResponseFrame): number | undefined {
  const isRefused = saysNotHandled(metadata) && metadata[metadataKey.errorCode] === "overloaded";
  return isRefused ? retryAfterMsIn(metadata) : undefined;
}

/** Whether an answer says that only a worker with a newer program can read the agent's state. */
export function saysTooNew(metadata: WireMetadata): boolean {
  return metadata[metadataKey.errorCode] === "state-too-new";
}

/**
 * Whether an answer says that no worker has taken the call, because none serves its agent now. Then the call may be sent again.
 * A handler can throw any text, so the text alone never counts. The host or the worker must say that no handler has seen the call.
 */
// protocol.md §11.3
export function saysNotTaken({ error, metadata }: ResponseFrame, agentType: string): boolean {
  if (!saysNotHandled(metadata)) return false;
  if (metadata[metadataKey.errorCode] === "shutting-down" || saysTooNew(metadata)) return true;
  const isNotServed =
    error === `Agent type ${agentType} not found.` || error === `Agent with name ${agentType} not found.`;
  return isNotServed || error === `Client for agent type ${agentType} disconnected.`;
}

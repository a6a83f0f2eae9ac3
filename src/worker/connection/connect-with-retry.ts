import { type Clock, errorText, TroupeError, UndeliverableException } from "../../core/internal.ts";
import type { ReconnectSettings } from "../reconnect-options.ts";
import { sleepMs } from "./time-limits.ts";
import type { WorkerStatus } from "./worker-status.ts";

export interface ConnectWithRetryOptions<Found> {
  /** In the order in which they are tried. */
  readonly addresses: readonly string[];
  /** Rounds that failed before; they set the length of the first delay. Undefined: the first round begins at once. */
  readonly failedRounds: number | undefined;
  /** Attempts that failed before in a row. They count for `maxAttempts`. */
  readonly failedAttempts: number;
  readonly maxAttempts: number;
  readonly reconnect: ReconnectSettings;
  readonly random: () => number;
  readonly clock: Clock;
  /** Ends the search, which rejects with the signal's reason. */
  readonly signal: AbortSignal;
  /** Takes each step. */
  readonly onStep: (step: ConnectingStep) => void;
  /** Reason of the search, for the status before the first attempt. */
  readonly reason: string;
  /** Opens a connection to one address, or rejects. */
  readonly open: (address: string) => Promise<Found>;
  /** Whether another attempt can help. */
  readonly isWorthRetrying: (error: unknown) => boolean;
}

/** A step of a search, as `status()` shows it. */
export type ConnectingStep = Extract<WorkerStatus, { readonly at: "connecting" | "waiting" }>;

/**
 * Tries the addresses in turn, with a delay before each round, until one opens. Rejects after `maxAttempts` with the
 * last failure of each address.
 */
export async function connectWithRetry<Found>(
  options: ConnectWithRetryOptions<Found>,
): Promise<{ readonly found: Found; readonly address: string }> {
  const { addresses, failedAttempts, maxAttempts, reconnect, random, clock, signal, onStep } = options;
  let round = options.failedRounds;
  let reason = options.reason;
  let hintMs = 0;
  const failures = new Map<string, string>();
  for (let tries = 0; ; tries += 1) {
    const isRoundBegin = tries % addresses.length === 0;
    if (isRoundBegin && round !== undefined) {
      const delayMs = Math.max(backOffMs(round, reconnect, random), hintMs);
      hintMs = 0;
      onStep({ at: "waiting", delayMs, reason });
      await sleepMs(delayMs, clock, signal);
    }
    if (isRoundBegin) round = round === undefined ? 0 : round + 1;
    signal.throwIfAborted();
    const address = addresses[tries % addresses.length] ?? "";
    const attempt = failedAttempts + tries + 1;
    onStep({ at: "connecting", address, attempt });
    try {
      return { found: await options.open(address), address };
    } catch (error) {
      signal.throwIfAborted();
      reason = errorText(error);
      hintMs = Math.max(hintMs, hintOf(error));
      failures.set(address, reason);
      if (!options.isWorthRetrying(error)) throw error;
      if (attempt >= maxAttempts) throw failures.size > 1 ? noneReached([...failures.values()], error) : error;
    }
  }
}

/** A host may be wrong about the time, or mean harm: a worker waits no longer than this. */
const longestHintMs = 60_000;

// protocol.md §2.5
/** The milliseconds for which a host that refuses the worker asks it to wait. */
export function hintOf(error: unknown): number {
  return error instanceof TroupeError ? Math.min(error.retryAfterMs ?? 0, longestHintMs) : 0;
}

/** Creates the error of a search over several addresses, with the last reason of each. */
function noneReached(reasons: readonly string[], cause: unknown): Error {
  if (!isUnreachable(cause)) return TroupeError.from(cause);
  const text = `None of the ${reasons.length} hosts can be reached. ${reasons.join(" ")}`;
  return new UndeliverableException(text, { code: "disconnected", cause });
}

type BackOff = Pick<ReconnectSettings, "initialDelayMs" | "maxDelayMs" | "factor" | "jitter">;

/** Returns the milliseconds to wait after `failures` failures in a row. `random` returns a number from 0 up to 1. */
export function backOffMs(failures: number, settings: BackOff, random: () => number): number {
  const { initialDelayMs, maxDelayMs, factor, jitter } = settings;
  const longest = Math.min(maxDelayMs, initialDelayMs * Math.min(factor ** failures, Number.MAX_VALUE));
  return Math.round(longest * (1 - jitter * random()));
}

/** Whether another host, or the same one later, may do better. */
export function isUnreachable(error: unknown): boolean {
  return error instanceof TroupeError && (error.code === "disconnected" || error.code === "timed-out");
}

import { type Clock, errorText } from "../../core/internal.ts";
import { backOffMs } from "./back-off.ts";
import type { ReconnectSettings } from "./reconnect-options.ts";
import { sleepMs } from "./time-limits.ts";
import type { WorkerStatus } from "./worker-status.ts";

export interface ConnectWithRetryOptions<Found> {
  readonly addresses: readonly string[];
  /** Which of them is tried first. */
  readonly firstIndex: number;
  /** Rounds that failed before, for the length of the first delay; undefined: the first round begins at once. */
  readonly failedRounds: number | undefined;
  readonly maxAttempts: number;
  readonly reconnect: ReconnectSettings;
  readonly random: () => number;
  readonly clock: Clock;
  /** Ends the search: it rejects with the signal's reason. */
  readonly signal: AbortSignal;
  readonly tell: (status: WorkerStatus) => void;
  /** Why there is a search, for the status before the first attempt. */
  readonly reason: string;
  readonly open: (address: string) => Promise<Found>;
  /** Whether another attempt can help. */
  readonly isWorthRetrying: (error: unknown) => boolean;
}

/** Tries each address in turn, a delay before each round, until one opens. Rejects with the last failure when there were enough. */
export async function connectWithRetry<Found>(
  seeking: ConnectWithRetryOptions<Found>,
): Promise<{ found: Found; index: number }> {
  const { addresses, firstIndex, maxAttempts, reconnect, random, clock, signal, tell } = seeking;
  let round = seeking.failedRounds;
  let reason = seeking.reason;
  for (let attempt = 1; ; attempt += 1) {
    const isRoundBegin = (attempt - 1) % addresses.length === 0;
    if (isRoundBegin && round !== undefined) {
      const delayMs = backOffMs(round, reconnect, random);
      tell({ at: "waiting", delayMs, reason });
      await sleepMs(delayMs, clock, signal);
    }
    if (isRoundBegin) round = round === undefined ? 0 : round + 1;
    signal.throwIfAborted();
    const index = (firstIndex + attempt - 1) % addresses.length;
    const address = addresses[index] ?? "";
    tell({ at: "connecting", address, attempt });
    try {
      return { found: await seeking.open(address), index };
    } catch (error) {
      signal.throwIfAborted();
      if (attempt >= maxAttempts || !seeking.isWorthRetrying(error)) throw error;
      reason = errorText(error);
    }
  }
}

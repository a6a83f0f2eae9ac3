import { followAbort, loggableText, unfollowAbort, untilAborted, type WaitOptions } from "../../core/internal.ts";
import { backOffMs } from "../connection/connect-with-retry.ts";
import { sleepMs } from "../connection/time-limits.ts";
import type { WorkerSettings } from "../worker-options.ts";
import { stoppedWaiting } from "./host-registry.ts";
import type { TypeTakenError } from "./refusal.ts";

export interface TakenWaitOptions extends WaitOptions, Pick<WorkerSettings, "clock" | "random" | "logger"> {
  /** Number of the attempt that was refused, from 1. */
  readonly attempt: number;
  /** Aborts when the run stops. Undefined: `signal` does that too. */
  readonly run?: AbortSignal;
}

/** Delays between two attempts to register a type that another worker serves, in milliseconds. */
const backOff = { initialDelayMs: 100, maxDelayMs: 1_000, factor: 2, jitter: 0.5 };

/**
 * Waits before the next attempt to register a type that another worker serves (`whenTaken`). The first wait logs what the worker
 * waits for. Rejects when the signal aborts, and when the run ends: the wait does not reach into the next run.
 */
export async function waitWhileTaken(
  type: string,
  { refusal }: TypeTakenError,
  { attempt, signal, run, clock, random, logger }: TakenWaitOptions,
): Promise<void> {
  if (attempt === 1) {
    logger.info(`${loggableText(refusal)} This worker waits until agent type ${type} is free (whenTaken).`);
  }
  const sleep = new AbortController();
  const onStop = () => sleep.abort(stoppedWaiting(type));
  followAbort(run, onStop);
  if (run?.aborted === true) onStop();
  const slept = sleepMs(backOffMs(attempt - 1, backOff, random), clock, sleep.signal);
  try {
    await untilAborted(slept, { signal }, `Waiting for agent type ${type}`);
  } finally {
    slept.catch(() => undefined);
    unfollowAbort(run, onStop);
    sleep.abort();
  }
}

import { setTimeout as sleep } from "node:timers/promises";
import { type AgentId, type ErrorCode, TroupeError } from "../../core/internal.ts";
import type { WorkerRuntime } from "../../worker/internal.ts";
import { messageOfBytes } from "./bench-agents.ts";
import { type DurationSummary, Durations, rounded } from "./durations.ts";

/** A load of calls. */
export interface CallLoad {
  readonly bytes: number;
  readonly inFlight: number;
  readonly seconds: number;
}

/** The measurement of one load. */
export interface CallRow extends DurationSummary {
  readonly bytes: number;
  readonly inFlight: number;
  readonly callsPerSecond: number;
  readonly failed: number;
  /** The error of the last call that has failed. Null: none has. */
  readonly code: ErrorCode | null;
}

/** The part of its time for which a load runs before it is measured. */
const warmUp = 0.1;
/** Milliseconds after a failure, and those of a call. */
const restMs = 50;
const timeoutMs = 30_000;

/**
 * Keeps so many calls under way for so long, and measures them. Each call is the next one of its loop. Rejects with the error of the last call if none was
 * answered: rules that do not let it call, for instance.
 */
export async function measureCalls(
  caller: WorkerRuntime,
  echo: AgentId,
  { bytes, inFlight, seconds }: CallLoad,
): Promise<CallRow> {
  const message = messageOfBytes(bytes);
  const durations = new Durations();
  const fromMs = performance.now() + 1_000 * warmUp * seconds;
  const untilMs = fromMs + 1_000 * seconds;
  let [failed, lastMs] = [0, untilMs];
  let lastError: TroupeError | undefined;
  const loop = async (): Promise<void> => {
    // On a machine that stands still for long, a row lasts until one call was measured.
    const goesOn = (nowMs: number): boolean => nowMs < untilMs || (durations.count === 0 && failed === 0);
    for (let beganMs = performance.now(); goesOn(beganMs); beganMs = performance.now()) {
      try {
        await caller.sendMessage(message, echo, { timeoutMs });
        const endedMs = performance.now();
        if (beganMs < fromMs || (endedMs > untilMs && durations.count > 0)) continue;
        durations.add(endedMs - beganMs);
        lastMs = Math.max(lastMs, endedMs);
      } catch (error) {
        failed += 1;
        lastError = TroupeError.from(error);
        // A host that is overloaded or gone is not asked again at once.
        await sleep(restMs);
      }
    }
  };
  await Promise.all(Array.from({ length: inFlight }, loop));
  if (lastError !== undefined && durations.count === 0) throw lastError;
  const callsPerSecond = rounded((1_000 * durations.count) / (lastMs - fromMs));
  return { bytes, inFlight, callsPerSecond, ...durations.summary(), failed, code: lastError?.code ?? null };
}

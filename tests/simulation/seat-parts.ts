import type { Clock } from "../../src/core/index.ts";
import type { SimulatedProcess } from "../../src/testing/index.ts";
import type { WorkerRuntime } from "../../src/worker/index.ts";

/** A process with a worker in it. */
export interface Occupant {
  readonly process: SimulatedProcess;
  readonly worker: WorkerRuntime;
}

/**
 * A worker registers one thing after the other on its new connection, and says to nobody when it has all. A registration of its older
 * connection may still reach the next host over a renewed link. That host keeps it from the newer one for 30 s (`registrationOrphanMs`).
 */
export const registrationsMs = 45_000;
/** Hosts end each call before. */
export const longestChangeMs = 45_000;

/** Every fifth timer can't be cancelled. */
export function keepingTimers(clock: Clock): Clock {
  let count = 0;
  return {
    now: () => clock.now(),
    wallNow: () => clock.wallNow(),
    setTimer: (delayMs, callback) => {
      const timer = clock.setTimer(delayMs, callback);
      count += 1;
      return count % 5 === 0 ? { cancel: () => undefined } : timer;
    },
  };
}

export async function endOf(worker: WorkerRuntime): Promise<void> {
  await worker[Symbol.asyncDispose]();
}

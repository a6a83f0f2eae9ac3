import { type Clock, TimedOutError } from "../core/index.ts";

/** Runs `body` with a signal that aborts with `TimedOutError` when the time is up. */
export async function withinMs<T>(ms: number, clock: Clock, body: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const timer = clock.setTimer(ms, () => controller.abort(new TimedOutError(`No answer within ${ms} ms.`)), {
    keepAlive: true,
  });
  try {
    return await body(controller.signal);
  } finally {
    timer.cancel();
  }
}

/** Settles as `promise` does, or resolves to undefined when the time is up first; no timer is left behind. */
export async function atMost<T>(promise: Promise<T>, ms: number, clock: Clock): Promise<T | undefined> {
  let stop = () => {};
  const timeUp = new Promise<undefined>((resolve) => {
    const timer = clock.setTimer(ms, () => resolve(undefined), { keepAlive: true });
    stop = () => timer.cancel();
  });
  try {
    return await Promise.race([promise, timeUp]);
  } finally {
    stop();
  }
}

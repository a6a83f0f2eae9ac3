import type { Clock, Timer } from "../clock.ts";
import type { EnvelopeQueue } from "./envelope-queue.ts";
import { yieldToEventLoop } from "./yield-to-event-loop.ts";

const checkEveryMs = 100;

/**
 * Resolves when `condition` holds, or the queue is closed: asked at once, soon after envelopes have been handled, and
 * every 100 ms for conditions that have nothing to do with them. Rejects with what `condition` throws.
 */
export async function until(condition: () => boolean, queue: EnvelopeQueue, clock: Clock): Promise<void> {
  while (!queue.isClosed && !condition()) {
    await nextChange(queue, clock);
    // What awaits an answer goes on a few turns after the envelope is done.
    await yieldToEventLoop();
  }
}

function nextChange(queue: EnvelopeQueue, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    let timer: Timer | undefined;
    const change = () => {
      stopListening();
      timer?.cancel();
      resolve();
    };
    const stopListening = queue.onDone(change);
    timer = clock.setTimer(checkEveryMs, change, { keepAlive: true });
  });
}

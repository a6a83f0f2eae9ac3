import type { Round } from "../support/contender.ts";

/** Maximum number of events in progress: enough that no handler waits for the publisher. */
const lot = 64;

/** Counts deliveries and reports when all have arrived. */
export class Deliveries {
  #count = 0;
  #awaited = 0;
  #onComplete = () => {};

  add(): void {
    this.#count += 1;
    if (this.#count === this.#awaited) this.#onComplete();
  }

  /** Resolves after `count` more deliveries. Call it before they can arrive. */
  more(count: number): Promise<void> {
    this.#awaited = this.#count + count;
    return new Promise((resolve) => {
      this.#onComplete = resolve;
    });
  }
}

/** Publishes batches for the time of a round; each follows when the last has reached all handlers. */
export async function runPublishRound(
  seconds: number,
  agents: number,
  deliveries: Deliveries,
  publish: () => Promise<void>,
): Promise<Round> {
  const startedMs = performance.now();
  let count = 0;
  while (performance.now() - startedMs < seconds * 1000) {
    const delivered = deliveries.more(lot * agents);
    for (let event = 0; event < lot; event += 1) await publish();
    await delivered;
    count += lot * agents;
  }
  return { count, perSecond: (count * 1000) / (performance.now() - startedMs) };
}

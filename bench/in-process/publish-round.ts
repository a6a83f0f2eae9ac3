import type { Round } from "../support/contender.ts";

/** Events under way at most: enough that nobody ever waits for the publisher, and little memory. */
const lot = 64;

/** Counts what handlers are given, and tells when it is all there. */
export class Deliveries {
  #count = 0;
  #awaited = 0;
  #onComplete = () => {};

  add(): void {
    this.#count += 1;
    if (this.#count === this.#awaited) this.#onComplete();
  }

  /** Resolves when so many more have come. To be asked before they can. */
  more(count: number): Promise<void> {
    this.#awaited = this.#count + count;
    return new Promise((resolve) => {
      this.#onComplete = resolve;
    });
  }
}

/** Publishes lot after lot for the time of a round, each when the one before has reached all handlers. */
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

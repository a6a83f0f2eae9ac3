import { setTimeout as sleep } from "node:timers/promises";
import { commands, tell } from "../support/peer-commands.ts";
import { lot, nowNs, windowEvents } from "./flow.ts";
import type { Progress } from "./progress.ts";

/** One round, as the benchmark commands it. */
export interface PublishRound {
  readonly seconds: number;
  /** 0: as fast as the workers follow. */
  readonly eventsPerSecond: number;
}

/** Publishes one event that tells when it left (`Tally.add`). */
export type Publish = (sentNs: number) => Promise<void> | void;

/** The life of a publisher's process: a round at each command, until all of it has arrived; it ends with the benchmark. */
export async function servePublishRounds(progress: Progress, publish: Publish): Promise<never> {
  let published = 0;
  tell("ready");
  for await (const round of commands<PublishRound>()) {
    const startedMs = performance.now();
    const before = published;
    if (round.eventsPerSecond === 0) await flood(startedMs + round.seconds * 1_000);
    else await pace(startedMs, round);
    await progress.reached(published);
    tell("round", { events: published - before, elapsedSeconds: (performance.now() - startedMs) / 1_000 });
  }
  process.exit(0);

  async function flood(endMs: number): Promise<void> {
    while (performance.now() < endMs) {
      await progress.reached(published + lot - windowEvents);
      for (let event = 0; event < lot; event += 1) await publish(0);
      published += lot;
    }
  }

  async function pace(startMs: number, { seconds, eventsPerSecond }: PublishRound): Promise<void> {
    // Whole lots: the workers tell of nothing less.
    const events = Math.ceil((seconds * eventsPerSecond) / lot) * lot;
    for (let event = 0; event < events; event += 1) {
      const waitMs = startMs + (event * 1_000) / eventsPerSecond - performance.now();
      if (waitMs > 0) await sleep(waitMs);
      await publish(nowNs());
    }
    published += events;
  }
}

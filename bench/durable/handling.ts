import { LatencyRecorder } from "../support/latencies.ts";
import { commands, tell } from "../support/peer-commands.ts";
import { nowMs } from "./messages.ts";

/** Counts what a receiver has handled, and how long each took from its sender to its handler. */
export class Handling {
  #count = 0;
  #latencies = new LatencyRecorder();
  #wanted = Number.POSITIVE_INFINITY;
  #isTelling = false;

  add(sentMs: number): void {
    this.#count += 1;
    this.#latencies.record((nowMs() - sentMs) * 1_000);
    if (this.#isTelling) return;
    this.#isTelling = true;
    // One line for all that is handled in a moment.
    setTimeout(() => this.#tellCount(), 1);
  }

  /** Runs a receiver's process: each command gets a line when `until` messages are handled in all, with the latencies since the command before. */
  async serve(): Promise<never> {
    tell("ready");
    for await (const { until } of commands<{ readonly until: number }>()) {
      this.#wanted = until;
      this.#tellIfAll();
    }
    process.exit(0);
  }

  #tellCount(): void {
    this.#isTelling = false;
    tell("handled", { count: this.#count });
    this.#tellIfAll();
  }

  #tellIfAll(): void {
    if (this.#count < this.#wanted) return;
    this.#wanted = Number.POSITIVE_INFINITY;
    tell("all", { ...this.#latencies.summary() });
    this.#latencies = new LatencyRecorder();
  }
}

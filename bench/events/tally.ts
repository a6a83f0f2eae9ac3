import { commands, tell } from "../support/peer-commands.ts";
import { lot, nowNs } from "./flow.ts";

/** Counts the events of a worker's handlers. */
export class Tally {
  readonly #agents: number;
  readonly #tellProgress: (events: number) => void;
  #deliveries = 0;
  #reported = 0;
  #latenciesUs: number[] = [];

  /** `tellProgress` gets the number of events that all agents have received, after each batch. */
  constructor(agents: number, tellProgress: (events: number) => void) {
    this.#agents = agents;
    this.#tellProgress = tellProgress;
  }

  /** Counts an event. `sentNs` 0: its latency does not matter. */
  add(sentNs: number): void {
    if (sentNs !== 0) this.#latenciesUs.push((nowNs() - sentNs) / 1_000);
    this.#deliveries += 1;
    if (this.#deliveries % (lot * this.#agents) === 0) this.#tellProgress(this.#deliveries / this.#agents);
  }

  /**
   * Serves the worker's process: answers each command with what has arrived since the last one. Ends with the
   * benchmark.
   */
  async serve(): Promise<never> {
    tell("ready");
    for await (const _report of commands()) {
      tell("report", { deliveries: this.#deliveries - this.#reported, latenciesUs: this.#latenciesUs });
      this.#reported = this.#deliveries;
      this.#latenciesUs = [];
    }
    process.exit(0);
  }
}

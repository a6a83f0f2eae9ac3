import { commands, tell } from "../support/peer-commands.ts";
import { lot, nowNs } from "./flow.ts";

/** A worker's count of what its handlers were given. */
export class Tally {
  readonly #agents: number;
  readonly #tellProgress: (events: number) => void;
  #deliveries = 0;
  #reported = 0;
  #latenciesUs: number[] = [];

  /** `tellProgress` gets how many events all agents here have had so far, after every lot of them. */
  constructor(agents: number, tellProgress: (events: number) => void) {
    this.#agents = agents;
    this.#tellProgress = tellProgress;
  }

  /** An agent was given an event. `sentNs`: 0 when it does not matter how long that took. */
  add(sentNs: number): void {
    if (sentNs !== 0) this.#latenciesUs.push((nowNs() - sentNs) / 1_000);
    this.#deliveries += 1;
    if (this.#deliveries % (lot * this.#agents) === 0) this.#tellProgress(this.#deliveries / this.#agents);
  }

  /** The rest of a worker's process: at each command it tells what has come since the last; it ends with the benchmark. */
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

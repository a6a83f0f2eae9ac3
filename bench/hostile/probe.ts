import { setTimeout as pause } from "node:timers/promises";
import type { HostWork } from "./host-work.ts";

/** Observations of a probe: for each round its time in ms, and the processor time of the host meanwhile, in ms. */
export interface ProbeReport {
  readonly name: string;
  readonly rounds: number;
  readonly failures: readonly string[];
  readonly waits: readonly number[];
  readonly works: readonly number[];
  /** The rounds from this one on ended after the attackers had left; the first of them had begun before. */
  readonly leftAt: number;
}

/** Between two rounds, so that an honest caller costs the host little. */
const pauseMs = 10;

/** Does one thing again and again, with a pause between, and notes how long each time takes. */
export class Probe {
  readonly name: string;
  readonly #round: () => Promise<unknown>;
  readonly #hostWork: HostWork;
  #failures: string[] = [];
  #waits: number[] = [];
  #works: number[] = [];
  #isOver = true;
  #leftAt = 0;
  #done: Promise<void> = Promise.resolve();

  constructor(name: string, round: () => Promise<unknown>, hostWork: HostWork) {
    this.name = name;
    this.#round = round;
    this.#hostWork = hostWork;
  }

  get rounds(): number {
    return this.#waits.length;
  }

  begin(): void {
    this.#failures = [];
    this.#waits = [];
    this.#works = [];
    this.#isOver = false;
    this.#done = this.#run();
  }

  /** The attackers leave now. */
  markLeaving(): void {
    this.#leftAt = this.rounds;
  }

  /** Resolves when the last round is over. */
  async finish(): Promise<ProbeReport> {
    this.#isOver = true;
    await this.#done;
    return {
      name: this.name,
      rounds: this.rounds,
      failures: this.#failures,
      waits: this.#waits,
      works: this.#works,
      leftAt: this.#leftAt,
    };
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      const [workMs, startMs] = [this.#hostWork.ms(), performance.now()];
      try {
        await this.#round();
      } catch (error) {
        this.#failures.push(String(error));
      }
      this.#waits.push(performance.now() - startMs);
      this.#works.push(this.#hostWork.ms() - workMs);
      await pause(pauseMs);
    }
  }
}

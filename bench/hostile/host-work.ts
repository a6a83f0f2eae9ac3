import { readFileSync } from "node:fs";

/**
 * The work of a host: processor time of its main thread. Unlike the time on a clock, other work on the machine does not change it.
 * Only Linux tells it; elsewhere it is 0.
 */
export class HostWork {
  readonly #file: string;

  constructor(pid: number) {
    this.#file = `/proc/${pid}/task/${pid}/schedstat`;
  }

  /** In milliseconds; exact to some 4 ms. */
  ms(): number {
    try {
      return Number(readFileSync(this.#file, "utf8").split(" ")[0]) / 1e6;
    } catch {
      return 0;
    }
  }
}

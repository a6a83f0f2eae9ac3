import { readFileSync } from "node:fs";

/**
 * What a host has worked: processor time of its main thread. Other work on the machine doesn't change it, as it changes the time
 * on a clock. Always 0 where the system doesn't tell (Linux does).
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

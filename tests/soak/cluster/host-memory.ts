import { readFileSync } from "node:fs";
import { mebibytes } from "../../support/load/facts.ts";
import type { SoakProgram } from "./soak-program.ts";

const everyMs = 1_000;
/** Growth that counts as none: a quarter, and 48 MiB. */
const tolerance = { part: 0.25, bytes: 48 * 2 ** 20 };

/** Follows the resident memory of a host that lives as long as the soak. */
export class HostMemory {
  readonly #samples: number[] = [];
  readonly #timer: NodeJS.Timeout;

  constructor(program: SoakProgram) {
    this.#timer = setInterval(() => {
      const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${program.pid}/status`, "utf8"))?.[1];
      if (kib !== undefined) this.#samples.push(Number(kib) * 1024);
    }, everyMs);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** The smallest of the second sixth of the time, and of the last one. The first sixth warms up. */
  get text(): string {
    return `${mebibytes(this.#early)} early, ${mebibytes(this.#late)} late, ${mebibytes(Math.max(...this.#samples))} at most`;
  }

  get problems(): readonly string[] {
    const grown = this.#late > this.#early * (1 + tolerance.part) + tolerance.bytes;
    return grown ? [`the RSS of a host grew: ${this.text}`] : [];
  }

  get #early(): number {
    return this.#quietest(1);
  }

  get #late(): number {
    return this.#quietest(5);
  }

  #quietest(sixth: number): number {
    const { length } = this.#samples;
    return Math.min(...this.#samples.slice(Math.floor((length * sixth) / 6), Math.ceil((length * (sixth + 1)) / 6)));
  }
}

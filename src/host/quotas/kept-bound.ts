import type { SharedBound } from "../../transport/internal.ts";
import type { Overuse, Usage } from "./usage.ts";

/** The table, the quotas and the log, as a bound needs them. */
export interface KeptBoundParts {
  /** Reads the limits of a usage, if they may be others than before. */
  readonly refresh: (usage: Usage) => void;
  /** Takes note that a usage may have no use any more. */
  readonly settle: (usage: Usage) => void;
  /** Counts and reports a refusal. */
  readonly onRefused: (usage: Usage, overuse: Overuse) => void;
}

/** The bound of the bytes that a principal, or a peer address, makes the host keep. Its accounts count in its usage. */
export class KeptBound implements SharedBound {
  readonly #usage: Usage;
  readonly #parts: KeptBoundParts;

  constructor(usage: Usage, parts: KeptBoundParts) {
    this.#usage = usage;
    this.#parts = parts;
  }

  get maxBytes(): number {
    this.#parts.refresh(this.#usage);
    return this.#usage.mostKeptBytes;
  }

  get heldBytes(): number {
    return this.#usage.keptBytes;
  }

  set heldBytes(bytes: number) {
    this.#usage.keptBytes = bytes;
  }

  opened(): void {
    this.#usage.accounts += 1;
    this.#parts.settle(this.#usage);
  }

  closed(): void {
    this.#usage.accounts -= 1;
    this.#parts.settle(this.#usage);
  }

  refused(): void {
    this.#parts.onRefused(this.#usage, this.#usage.whyNotKeep());
  }

  whyNot(): string {
    return this.#usage.whyNotKeep().text;
  }
}

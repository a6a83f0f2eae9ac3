import type { StateStore } from "../../core/internal.ts";
import type { LoadAsk, StatesAnswer } from "../../protocol/internal.ts";
import type { MemoryAccount } from "../../transport/internal.ts";
import { limits } from "../limits.ts";
import { failure } from "./commit-asks.ts";

export interface LoadSpaceParts {
  /** Takes the bytes of what is read. */
  readonly account: Pick<MemoryAccount, "take" | "release" | "whyNot">;
  /** Bytes of large states that may be read at once. A larger one is read alone. */
  readonly maxBytes: number;
}

interface Waiting {
  readonly bytes: number;
  readonly start: () => void;
}

/** The memory for the large states that one worker loads, from the read until the answer is encoded. */
export class LoadSpace {
  readonly #parts: LoadSpaceParts;
  readonly #waiting: Waiting[] = [];
  #bytes = 0;
  #hasEnded = false;

  constructor(parts: LoadSpaceParts) {
    this.#parts = parts;
  }

  /** Takes space for a state after those before it. Resolves to the reason why it has no space; else the caller releases the space. */
  async take(bytes: number): Promise<string | undefined> {
    if (this.#waiting.length > 0 || !this.#fits(bytes)) {
      await new Promise<void>((resolve) => this.#waiting.push({ bytes, start: resolve }));
    } else {
      this.#bytes += bytes;
    }
    if (this.#hasEnded) return "The stream of the worker has ended.";
    if (this.#parts.account.take(bytes)) return undefined;
    const why = this.#parts.account.whyNot(bytes);
    this.#free(bytes);
    return why;
  }

  release(bytes: number): void {
    if (!this.#hasEnded) this.#parts.account.release(bytes);
    this.#free(bytes);
  }

  /** No worker hears answers any more: what waits is not read. The account is closed by its owner. */
  end(): void {
    this.#hasEnded = true;
    for (const { bytes, start } of this.#waiting.splice(0)) {
      this.#bytes += bytes;
      start();
    }
  }

  #free(bytes: number): void {
    this.#bytes -= bytes;
    for (let next = this.#waiting[0]; next !== undefined && this.#fits(next.bytes); next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#bytes += next.bytes;
      next.start();
    }
  }

  #fits(bytes: number): boolean {
    return this.#hasEnded || this.#bytes === 0 || this.#bytes + bytes <= this.#parts.maxBytes;
  }
}

/** Loads a state. For a large one it takes space first, since many loads may be at the store at once. */
export async function loadWithin(
  space: LoadSpace,
  store: StateStore,
  { agent, unless }: LoadAsk,
): Promise<Extract<StatesAnswer, { readonly kind: "loaded" }>["outcome"]> {
  const options = unless === undefined ? {} : { unless };
  let most: number = limits.smallStateBytes;
  let record = await store.loadUpTo(most, agent, options);
  while (typeof record === "object" && "at" in record) {
    if (record.bytes <= most) throw new TypeError("The state store calls a state larger that is not.");
    most = record.bytes;
    const refusal = await space.take(most);
    if (refusal !== undefined) return failure("overloaded", refusal);
    try {
      record = await store.loadUpTo(most, agent, options);
    } finally {
      space.release(most);
    }
  }
  if (record === undefined) return { at: "nothing" };
  return record === "unchanged" ? { at: "unchanged" } : { at: "record", record };
}

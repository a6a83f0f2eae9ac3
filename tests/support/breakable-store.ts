import { StoreError } from "../../src/core/internal.ts";
import { MemoryStateStore } from "../../src/storage/index.ts";

/** A store that can't be read while it is broken. */
export class BreakableStore extends MemoryStateStore {
  isBroken = false;
  #loads: (() => void)[] = [];

  override async load(...given: Parameters<MemoryStateStore["load"]>) {
    queueMicrotask(() => {
      for (const told of this.#loads.splice(0)) setImmediate(told);
    });
    if (this.isBroken) throw new StoreError("unavailable", "The disk is gone.");
    return await super.load(...given);
  }

  /** Resolves a turn after the store was asked. */
  looked(): Promise<void> {
    return new Promise((resolve) => this.#loads.push(resolve));
  }
}

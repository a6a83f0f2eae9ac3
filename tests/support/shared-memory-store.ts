import type { StateStore, StoreOpening } from "../../src/core/internal.ts";
import { MemoryStateStore } from "../../src/storage/index.ts";

/** A state store in memory to which all hosts of a cluster write: its mail is an outbox. Each call returns the store of one more host. */
export function sharedMemoryStores(memory: StateStore = new MemoryStateStore()): () => StateStore {
  let opening: Promise<StoreOpening> | undefined;
  return () =>
    new Proxy(memory, {
      get: (target, name) => {
        if (name === "writers") return "many";
        if (name === "log") return undefined;
        if (name === "close" || name === Symbol.asyncDispose) return async () => undefined;
        if (name === "open") {
          return () => {
            opening ??= memory.open();
            return opening;
          };
        }
        // The methods of the store use its private fields.
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
}

import { setImmediate as nextTurn } from "node:timers/promises";

/**
 * Returns the memory of this process's objects after garbage collection, including memory outside the heap. Needs
 * --expose-gc.
 */
export async function usedBytes(): Promise<number> {
  for (let time = 0; time < 3; time += 1) {
    await nextTurn(); // finalizers run between turns
    globalThis.gc?.();
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Returns the memory of one object, measured over `count` of them. */
export async function bytesOfEach(count: number, make: () => object): Promise<number> {
  const kept = new Array<object | undefined>(count).fill(undefined);
  const before = await usedBytes();
  for (let index = 0; index < count; index += 1) kept[index] = make();
  const bytes = (await usedBytes()) - before;
  kept.length = 0; // it is needed until here
  return bytes / count;
}

import { constants, PerformanceObserver } from "node:perf_hooks";
import { getHeapStatistics, setFlagsFromString } from "node:v8";
import { assertKind, number } from "../core/internal.ts";

const defaultBytes = 64 * 1024 * 1024;

/** Below this percentage V8's own choice is as good and saves memory: the heap is large. */
const leastPercent = 50;
const mostPercent = 1_000;

/** The number of callers that asked for a larger heap and have not taken that back. */
let keepers = 0;

interface NodeGcEntry {
  readonly detail: { readonly kind: number };
}

/**
 * Lets 64 MiB of memory, or another number of bytes, become garbage before V8 collects all of it. For processes whose work is a host.
 *
 * V8 counts buffers outside its heap against a limit that it takes from the heap's size. A host has a heap of some 10 MB and
 * moves megabytes through buffers, so V8 would collect its whole heap 20 times a second. That costs half of the host's time with
 * messages of 1 MB, and 15 % beside a worker that stalls.
 *
 * The function changes a setting of V8 for the whole process, until the process ends or you call the returned function. `troupe host`
 * calls it by itself. Throws `invalid-argument` for an invalid size.
 */
export function keepHeapRoom(bytes: number = defaultBytes): () => void {
  assertKind("bytes", bytes, number({ from: 1 }));
  const grow = (): void => {
    const percent = growthPercent(bytes, getHeapStatistics().used_heap_size);
    setFlagsFromString(`--heap-growing-percent=${percent}`);
  };
  grow();
  keepers += 1;
  // Each full collection tells the heap's size anew.
  const observer = new PerformanceObserver((list) => {
    // Entries of this type hold the kind of their collection.
    const collections = list.getEntries() as readonly Partial<NodeGcEntry>[];
    if (collections.some(({ detail }) => detail?.kind === constants.NODE_PERFORMANCE_GC_MAJOR)) grow();
  });
  observer.observe({ entryTypes: ["gc"] });
  let isKept = true;
  return () => {
    if (!isKept) return;
    isKept = false;
    observer.disconnect();
    keepers -= 1;
    if (keepers === 0) setFlagsFromString("--heap-growing-percent=0");
  };
}

/** Returns by how many percent the heap may grow from its live bytes until V8 collects all of it; 0: as V8 chooses. */
export function growthPercent(roomBytes: number, liveBytes: number): number {
  const percent = Math.round((100 * roomBytes) / liveBytes);
  return percent < leastPercent ? 0 : Math.min(percent, mostPercent);
}

import { constants, PerformanceObserver } from "node:perf_hooks";
import { getHeapStatistics, setFlagsFromString } from "node:v8";
import { assertNumbers } from "../core/internal.ts";

const defaultBytes = 64 * 1024 * 1024;

/** Where the heap itself is so large that the room is little beside it, V8's own choice is as good, and thriftier. */
const leastPercent = 50;
const mostPercent = 1_000;

/** Who has asked for room and not given it back. */
let keepers = 0;

interface NodeGcEntry {
  readonly detail: { readonly kind: number };
}

/**
 * Lets memory of so many bytes (64 MiB) become garbage before V8 collects all of it, for a process whose work is a host.
 *
 * V8 counts buffers, which lie outside its heap, against a limit that it takes from the heap's size. A host has a heap of some
 * 10 MB and moves megabytes through buffers, so it would collect its whole heap 20 times a second: half of its time with messages of
 * 1 MB, 15 % beside a worker that stalls. Changes a setting of V8 for the whole process, for as long as it runs or until the
 * returned function is called; `troupe host` does it by itself. Throws
 * `invalid-argument` for a size that can't be meant.
 */
export function keepHeapRoom(bytes: number = defaultBytes): () => void {
  assertNumbers({ bytes }, { bytes: { from: 1 } });
  const grow = (): void => {
    const percent = growthPercent(bytes, getHeapStatistics().used_heap_size);
    setFlagsFromString(`--heap-growing-percent=${percent}`);
  };
  grow();
  keepers += 1;
  // The heap's size is known anew after each full collection.
  const observer = new PerformanceObserver((list) => {
    // Of entries of this type Node says what kind of collection they were.
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

/** By how much the heap may grow from what is alive in it until V8 collects it all, in percent; 0: as V8 chooses. */
export function growthPercent(roomBytes: number, liveBytes: number): number {
  const percent = Math.round((100 * roomBytes) / liveBytes);
  return percent < leastPercent ? 0 : Math.min(percent, mostPercent);
}

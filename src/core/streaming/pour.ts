import type { MessageContext } from "../agents/message-context.ts";
import { nextTurn } from "../clock.ts";
import { followAbort, unfollowAbort } from "../follow-abort.ts";
import { chunkSinkOf } from "./chunk-sink.ts";

/** A handler that yields chunks and returns the answer. */
export type ChunkGenerator = AsyncGenerator<unknown, unknown, undefined>;

/** Timers and sockets get a turn after this number of chunks. */
const chunksPerTurn = 256;

/** Returns whether a handler has returned an async generator. */
export function isChunkGenerator(value: unknown): value is ChunkGenerator {
  if (typeof value !== "object" || value === null || !(Symbol.asyncIterator in value)) return false;
  return "next" in value && typeof value.next === "function" && "return" in value && typeof value.return === "function";
}

/**
 * Runs a handler that is a generator: sends its chunks, and resolves to what it returns. If no caller reads chunks, they are thrown away. When
 * the context aborts, the generator ends at its next `yield`, and the promise rejects with the reason. `check` throws the error of a chunk that
 * the handler must not yield.
 */
export async function pour(
  generator: ChunkGenerator,
  context: MessageContext,
  check?: (chunk: unknown) => void,
): Promise<unknown> {
  const sink = chunkSinkOf(context);
  const { signal } = context;
  for (let count = 1; ; count += 1) {
    const step = await generator.next();
    if (step.done === true) return step.value;
    if (!signal.aborted) {
      try {
        check?.(step.value);
        const open = sink?.put(step.value);
        if (open !== undefined) await openOrAborted(open, signal);
        if (count % chunksPerTurn === 0) await nextTurn();
      } catch (error) {
        await generator.return(undefined).catch(() => undefined);
        throw error;
      }
    }
    if (signal.aborted) {
      // What a `finally` throws is the error of the handler.
      await generator.return(undefined);
      throw signal.reason;
    }
  }
}

/** Resolves when the window is open, or the signal has aborted. */
async function openOrAborted(open: Promise<void>, signal: AbortSignal): Promise<void> {
  let onAbort: () => void = () => undefined;
  const aborted = new Promise<void>((resolve) => {
    onAbort = resolve;
  });
  followAbort(signal, onAbort);
  try {
    await Promise.race([open, aborted]);
  } finally {
    unfollowAbort(signal, onAbort);
  }
}

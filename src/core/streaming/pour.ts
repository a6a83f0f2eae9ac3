import type { MessageContext } from "../agents/message-context.ts";
import { nextTurn } from "../clock.ts";
import { followAbort, unfollowAbort } from "../follow-abort.ts";
import { chunkSinkOf } from "./chunk-sink.ts";

/** A handler that yields chunks and returns the answer. */
export type ChunkGenerator = AsyncGenerator<unknown, unknown, undefined>;

/** Timers, sockets and calls get a turn after this number of chunks of all streams together. */
const chunksPerTurn = 256;

/** Shares the turns of the event loop, which all runtimes of a process have in common, between their streams and all else. */
class ChunkTurns {
  #left = chunksPerTurn;
  #next: Promise<void> = Promise.resolve();

  /** Counts a chunk. Returns the promise of the next turn when this one has had its chunks. */
  take(): Promise<void> | undefined {
    // The count is that of one turn. What streams have sent before then changes nothing, so that a simulated world is the same each time.
    if (this.#left === chunksPerTurn) {
      this.#next = nextTurn().then(() => {
        this.#left = chunksPerTurn;
      });
    }
    this.#left -= 1;
    return this.#left > 0 ? undefined : this.#next;
  }
}

const turns = new ChunkTurns();

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
  for (;;) {
    const step = await generator.next();
    if (step.done === true) return step.value;
    if (!signal.aborted) {
      try {
        check?.(step.value);
        const open = sink?.put(step.value);
        if (open !== undefined) await openOrAborted(open, signal);
        const turn = turns.take();
        if (turn !== undefined) await turn;
      } catch (error) {
        await end(generator).catch(() => undefined);
        throw error;
      }
    }
    if (signal.aborted) {
      // What a `finally` throws is the error of the handler.
      await end(generator);
      throw signal.reason;
    }
  }
}

/** Ends a generator. Chunks that its `finally` yields are thrown away, so that the rest of it runs. */
async function end(generator: ChunkGenerator): Promise<void> {
  let step = await generator.return(undefined);
  while (step.done !== true) {
    await turns.take();
    step = await generator.next();
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

import type { AgentId } from "../agents/agent-id.ts";
import { assertChunk } from "../delivery/streams/streamed-call.ts";
import type { MessageType } from "../serialization/message-type.ts";
import type { ChunkReader } from "../streaming/chunk-reader.ts";
import type { ChunkSink } from "../streaming/chunk-sink.ts";
import { type StreamWindow, unencodedChunkBytes } from "../streaming/stream-window.ts";

export interface LocalChunksParts {
  readonly reader: ChunkReader;
  readonly window: StreamWindow;
  /** The chunk's type that the call promises, if any. */
  readonly promised: MessageType | undefined;
  /** The agent whose handler yields the chunks. */
  readonly sender: AgentId;
  /** Returns the error that refuses a chunk which a worker could not send. Undefined: no chunk is refused. */
  readonly refusalOf: ((chunk: unknown) => Error | undefined) | undefined;
}

/** Gives the chunks of a call to its reader in the same process. */
export class LocalChunks implements ChunkSink {
  readonly #parts: LocalChunksParts;
  hasSent = false;

  constructor(parts: LocalChunksParts) {
    this.#parts = parts;
  }

  put(chunk: unknown): Promise<void> | undefined {
    const { reader, window, promised, sender, refusalOf } = this.#parts;
    const refusal = refusalOf?.(chunk);
    if (refusal !== undefined) throw refusal;
    assertChunk(chunk, promised, sender);
    this.hasSent = true;
    // The window counts first: a reader that waits for the chunk grants more at once.
    const open = window.spend(unencodedChunkBytes);
    reader.accept(chunk, unencodedChunkBytes);
    return open;
  }
}

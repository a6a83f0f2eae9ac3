import {
  type ChunkSink,
  type CodecRegistry,
  chunkOverheadBytes,
  largestWindowBytes,
  StreamWindow,
} from "../../core/internal.ts";
import { encodeFrame, type WireMetadata, windowOf } from "../../protocol/internal.ts";
import type { Outbox } from "../connection/outbox.ts";
import type { WorkerSettings } from "../worker-options.ts";

export interface OutgoingChunksParts {
  readonly requestId: string;
  readonly outbox: Outbox;
  readonly registry: CodecRegistry;
  readonly settings: Pick<WorkerSettings, "preferredContentType">;
}

// protocol.md §11.21
/** Sends the chunks of a call to its host, as far as their reader has granted. */
export class OutgoingChunks implements ChunkSink {
  readonly #parts: OutgoingChunksParts;
  readonly #window: StreamWindow;
  #offset = 0;
  /** The type and content type of the chunk before, which the next one does not repeat. */
  #before = { typeName: "", contentType: "" };

  private constructor(parts: OutgoingChunksParts, grantedBytes: number) {
    this.#parts = parts;
    this.#window = new StreamWindow(grantedBytes);
  }

  /** Undefined: the caller of a call with this metadata reads no chunks, or its host passes none on. */
  static of(parts: OutgoingChunksParts, metadata: WireMetadata): OutgoingChunks | undefined {
    const grantedBytes = windowOf(metadata);
    if (grantedBytes === 0 || !parts.outbox.host.knowsStreams) return undefined;
    return new OutgoingChunks(parts, Math.min(grantedBytes, largestWindowBytes));
  }

  get hasSent(): boolean {
    return this.#offset > 0;
  }

  /** Chunks that were sent. */
  get count(): number {
    return this.#offset;
  }

  put(chunk: unknown): Promise<void> | undefined {
    const { requestId, outbox, registry, settings } = this.#parts;
    const { typeName, contentType, data } = registry.encode(chunk, settings.preferredContentType);
    const before = this.#before;
    const isSame = typeName === before.typeName && contentType === before.contentType;
    const types = isSame ? { typeName: "", contentType: "" } : { typeName, contentType };
    // Nothing leaves by a connection that has ended: its end aborts the handler.
    const isSent = outbox.write(encodeFrame({ kind: "chunk", requestId, offset: this.#offset, ...types, data }));
    if (!isSent) return undefined;
    this.#before = isSame ? before : { typeName, contentType };
    this.#offset += 1;
    const granted = this.#window.spend(data.length + chunkOverheadBytes);
    // Chunks of many streams must not fill the way of all answers of this worker, and its memory.
    const { writable } = outbox;
    return granted === undefined || writable === undefined ? (granted ?? writable) : both(granted, writable);
  }

  /** Takes what the reader has granted since the call began. A handler is never further ahead than the largest window, whatever is granted. */
  grant(totalBytes: number): void {
    this.#window.grant(Math.min(totalBytes, this.#window.sentBytes + largestWindowBytes));
  }
}

async function both(granted: Promise<void>, writable: Promise<void>): Promise<void> {
  await granted;
  await writable;
}

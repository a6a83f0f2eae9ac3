import {
  type AgentId,
  assertChunk,
  type ChunkReader,
  type CodecRegistry,
  chunkOverheadBytes,
  type MessageType,
  TroupeError,
  UndeliverableException,
} from "../../core/internal.ts";
import { type ChunkFrame, chunksOf, streamMetadata, type WireMetadata } from "../../protocol/internal.ts";
import type { OutgoingCall } from "./outgoing-call.ts";

export interface IncomingChunksParts {
  readonly reader: ChunkReader;
  readonly windowBytes: number;
  readonly registry: CodecRegistry;
  readonly recipient: AgentId;
  /** The chunk's type that the message promises, if any. */
  readonly promised: MessageType | undefined;
}

// protocol.md §11.21
/** Takes the chunks of a call that this worker has made, and grants more when its reader has read. */
export class IncomingChunks {
  readonly #parts: IncomingChunksParts;
  /** The call as it was sent last. */
  #call: OutgoingCall | undefined;
  #offset = 0;
  #typeName = "";
  #contentType = "";

  constructor(parts: IncomingChunksParts) {
    this.#parts = parts;
  }

  /** Metadata that asks for chunks. */
  get metadata(): WireMetadata {
    return streamMetadata(this.#parts.windowBytes);
  }

  /** The call is about to be sent, perhaps again. */
  begin(call: OutgoingCall): void {
    this.#call = call;
  }

  /** Takes a chunk. One that can't be read, or is not the next one, ends the stream. */
  take({ offset, typeName, contentType, data }: ChunkFrame): void {
    const { reader, registry, recipient, promised } = this.#parts;
    try {
      if (offset !== this.#offset) {
        const text = `Chunk ${offset} of ${recipient} came where chunk ${this.#offset} was due.`;
        throw new TroupeError("invalid-message", text);
      }
      this.#offset += 1;
      if (typeName !== "") this.#typeName = typeName;
      if (contentType !== "") this.#contentType = contentType;
      const chunk = registry.decode(this.#typeName, this.#contentType, data);
      assertChunk(chunk, promised, recipient);
      reader.accept(chunk, data.length + chunkOverheadBytes);
    } catch (error) {
      reader.refuse(error);
    }
  }

  /** The answer has come. Its sender may have sent more chunks than have come. */
  answered(metadata: WireMetadata): void {
    const { reader, recipient } = this.#parts;
    const sent = chunksOf(metadata);
    if (sent <= this.#offset) return;
    const text = `${recipient} has answered, but ${sent - this.#offset} of its ${sent} chunks are lost: its worker or its host ended, or had no space.`;
    const advice = "The answer is whole: take it from the stream's answer.";
    reader.loseRest(new UndeliverableException(`${text} ${advice}`, { code: "disconnected" }));
  }

  /** Ends the stream: a chunk has come that can't be read. */
  refuse(error: Error): void {
    this.#parts.reader.refuse(error);
  }

  /** Lets the handler send this many bytes, counted from the beginning of the call. */
  grant(totalBytes: number): void {
    const call = this.#call;
    call?.sentBy?.sayCredit(call.request.requestId, totalBytes);
  }
}

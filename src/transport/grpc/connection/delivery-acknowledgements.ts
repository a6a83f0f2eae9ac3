import type { FrameWriter } from "../framing/frame-writer.ts";

/**
 * Tracks which messages have arrived over one connection. HTTP/2 keeps its order: the answer to a PING or a call
 * confirms everything written before it. It confirms nothing on streams that the peer has ended. It adds no traffic of its own.
 */
export class DeliveryAcknowledgements {
  readonly #writers = new Set<FrameWriter>();

  follow(writer: FrameWriter): void {
    this.#writers.add(writer);
  }

  forget(writer: FrameWriter): void {
    this.#writers.delete(writer);
  }

  /** Notes what is written before a question; call the returned function when the answer arrives. */
  readonly beforeAsking = (): (() => void) => {
    const written = [...this.#writers].map((writer) => [writer, writer.writtenCount] as const);
    return () => {
      for (const [writer, count] of written) if (writer.isConfirmable) writer.confirm(count);
    };
  };
}

import type { FrameWriter } from "./frame-writer.ts";

/**
 * What has certainly arrived over one connection: HTTP/2 keeps its order, so that an answer, to a PING or to a call, confirms
 * whatever was written before the question, on every stream. It costs nothing but what is asked anyway.
 */
export class DeliveryAcknowledgements {
  readonly #writers = new Set<FrameWriter>();

  follow(writer: FrameWriter): void {
    this.#writers.add(writer);
  }

  forget(writer: FrameWriter): void {
    this.#writers.delete(writer);
  }

  /** Something is about to be asked; the returned function is for its answer. */
  readonly beforeAsking = (): (() => void) => {
    const written = [...this.#writers].map((writer) => [writer, writer.writtenCount] as const);
    return () => {
      for (const [writer, count] of written) writer.confirm(count);
    };
  };
}

import type { MessageContext } from "../agents/message-context.ts";

/** Takes the chunks of one call and sends them to its reader. */
export interface ChunkSink {
  /** Whether a chunk has left: the message must not be given to its agent again. */
  readonly hasSent: boolean;
  /**
   * Sends a chunk. Returns a promise while the reader's window is full: no further chunk may follow before it resolves. Throws the error of a
   * chunk that can't be sent.
   */
  put(chunk: unknown): Promise<void> | undefined;
}

/**
 * Key under which the context of a streamed call holds its sink. Copies of the package share it. The type is `never` because `Symbol.for` has
 * no unique type.
 */
export const chunkSinkKey: unique symbol = Symbol.for("troupe.chunkSink") as never;

/** Returns the sink of a handler's context. Undefined: no caller reads chunks. */
export function chunkSinkOf(context: MessageContext): ChunkSink | undefined {
  // Only contexts of a runtime have the key, whose type is known here.
  return (context as { readonly [chunkSinkKey]?: ChunkSink })[chunkSinkKey];
}

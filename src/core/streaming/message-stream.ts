/// <reference lib="esnext.disposable" preserve="true" />

/**
 * The answer to a call, which comes in parts: chunks, then the answer. It has one reader. Leaving the loop ends the handler.
 *
 * @example
 * ```ts
 * const stream = runtime.stream(AskPoem({ topic: "the sea" }), poet, { signal });
 * for await (const line of stream) console.log(line.text);
 * const poem = await stream.answer;
 * ```
 */
export interface MessageStream<Chunk, Answer> extends AsyncIterable<Chunk, Answer, unknown>, AsyncDisposable {
  /**
   * The outcome of the call. It comes when the handler has ended, which waits while too many chunks are unread. So await it behind the loop, or
   * call `whole`. A rejection that no code awaits does not end the process.
   */
  readonly answer: Promise<Answer>;
  /** Reads all chunks without handing them out, and resolves to the answer. */
  whole(): Promise<Answer>;
  /** Ends the call as `cancelled`, and the handler with it. It does nothing after the outcome. */
  cancel(reason?: unknown): void;
  /** Returns the iterator of the one reader. It returns the answer at the end, so `yield*` has it as its value. A second one throws `wrong-state`. */
  [Symbol.asyncIterator](): AsyncIterator<Chunk, Answer, unknown>;
}

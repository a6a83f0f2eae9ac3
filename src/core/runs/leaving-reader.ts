const nothing = (): void => undefined;

/**
 * Returns the reader's end of a generator that may wait long. `return` ends the wait by the signal, and the generator with it; the `next` that
 * waited resolves as done. A generator alone would end when its wait does.
 */
export function endingWithReader<T>(
  read: (left: AbortSignal) => AsyncGenerator<T, unknown, unknown>,
): AsyncIterator<T, unknown, unknown> {
  const leaving = new AbortController();
  const left = leaving.signal;
  const chunks = read(left);
  return {
    next: async () => {
      try {
        return await chunks.next();
      } catch (error) {
        if (!left.aborted) throw error;
        return { done: true, value: undefined };
      }
    },
    return: async (value) => {
      leaving.abort(new Error("The reader has left the run."));
      await chunks.return(undefined).catch(nothing);
      return { done: true, value: await value };
    },
  };
}

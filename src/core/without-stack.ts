/**
 * Returns the error that `make` creates, without its stack. A stack costs more than all else in an error, and of many equal errors
 * one stack is enough.
 */
export function withoutStack(make: () => Error): Error {
  const { stackTraceLimit } = Error;
  // Where a program has frozen `Error`, the error has its stack.
  if (!Reflect.set(Error, "stackTraceLimit", 0)) return make();
  try {
    return make();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

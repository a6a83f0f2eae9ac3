/**
 * Takes what a runtime tells people. It is never handed a payload. Fields that come often: `error` is what was thrown, `agent` and
 * `messageType` name whose handler failed on what.
 */
export interface Logger {
  debug(text: string, fields?: LogFields): void;
  info(text: string, fields?: LogFields): void;
  warn(text: string, fields?: LogFields): void;
  error(text: string, fields?: LogFields): void;
}

export type LogFields = { readonly [name: string]: unknown };

/** Warnings and errors on the console, nothing else: what a runtime uses when it is given no logger. */
export const defaultLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  // biome-ignore lint/suspicious/noConsole: the one place where core speaks to people by itself
  warn: (text, fields) => console.warn(...withFields(text, fields)),
  // biome-ignore lint/suspicious/noConsole: as above
  error: (text, fields) => console.error(...withFields(text, fields)),
};

/** An error stands by itself: inside the fields the console would not show the whole chain of its causes. */
function withFields(text: string, fields: LogFields | undefined): unknown[] {
  if (fields === undefined) return [text];
  const { error, ...others } = fields;
  if (!(error instanceof Error)) return [text, fields];
  return Object.keys(others).length === 0 ? [text, error] : [text, others, error];
}

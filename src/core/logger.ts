/** Where a runtime tells what happens, for people. Payloads are never handed to it. */
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

function withFields(text: string, fields: LogFields | undefined): unknown[] {
  return fields === undefined ? [text] : [text, fields];
}

/** What each logger has been told; as many texts as there are agent types and classes to warn of. */
const told = new WeakMap<Logger, Set<string>>();

/** Warns unless this logger has been told the same before. */
export function warnOnce(logger: Logger, text: string): void {
  const texts = told.get(logger) ?? new Set();
  if (texts.has(text)) return;
  told.set(logger, texts.add(text));
  logger.warn(text);
}

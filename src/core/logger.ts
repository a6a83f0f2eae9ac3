import { isThenable } from "./thenable.ts";

/**
 * Log of a runtime, for people. Runtimes never pass payloads to it. A failed handler is logged at `error` with the fields `agent`,
 * `messageType` and `error`, which is what the handler threw.
 */
export interface Logger {
  debug(text: string, fields?: LogFields): void;
  info(text: string, fields?: LogFields): void;
  warn(text: string, fields?: LogFields): void;
  error(text: string, fields?: LogFields): void;
}

/** Named values of a log entry. */
export type LogFields = { readonly [name: string]: unknown };

/** Writes warnings and errors to the console. Runtimes use it if they get no logger. */
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

/** Texts already written per logger; bounded by the number of agent types and classes. */
const told = new WeakMap<Logger, Set<string>>();

/** Logs a warning, once per logger and text. */
export function warnOnce(logger: Logger, text: string): void {
  const texts = told.get(logger) ?? new Set();
  if (texts.has(text)) return;
  told.set(logger, texts.add(text));
  logger.warn(text);
}

/** Wrappers already made, so that `warnOnce` sees one logger for all runtimes that share it. */
const guarded = new WeakMap<Logger, Logger>();

/** Wraps a logger whose failures must not break the code that logs. Errors and rejected promises of the logger are dropped. */
export function guardedLogger(logger: Logger): Logger {
  const known = guarded.get(logger);
  if (known !== undefined) return known;
  const wrapper: Logger = {
    debug: (text, fields) => attempt(() => logger.debug(text, fields)),
    info: (text, fields) => attempt(() => logger.info(text, fields)),
    warn: (text, fields) => attempt(() => logger.warn(text, fields)),
    error: (text, fields) => attempt(() => logger.error(text, fields)),
  };
  guarded.set(logger, wrapper).set(wrapper, wrapper);
  return wrapper;
}

/** Drops a failure, because the runtime has no other way than the log to report one. */
function attempt(write: () => unknown): void {
  try {
    const written = write();
    if (isThenable(written)) void written.then(undefined, () => undefined);
  } catch {}
}

import type { Logger } from "./logger.ts";

/** What each logger has been told; as many texts as there are agent types and classes to warn of. */
const told = new WeakMap<Logger, Set<string>>();

/** Warns unless this logger has been told the same before. */
export function warnOnce(logger: Logger, text: string): void {
  const texts = told.get(logger) ?? new Set();
  if (texts.has(text)) return;
  told.set(logger, texts.add(text));
  logger.warn(text);
}

/** Where a runtime tells what happens, for people. Payloads are never handed to it. */
export interface Logger {
  debug(text: string, fields?: LogFields): void;
  info(text: string, fields?: LogFields): void;
  warn(text: string, fields?: LogFields): void;
  error(text: string, fields?: LogFields): void;
}

export type LogFields = { readonly [name: string]: unknown };

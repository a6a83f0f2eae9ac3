import { pino, stdSerializers, stdTimeFunctions } from "pino";
import type { LogFields, Logger } from "../core/internal.ts";
import type { LogLevel } from "../telemetry/internal.ts";

export interface JsonLoggerOptions {
  /** Lowest level that is written. */
  readonly level: LogLevel;
  /** Fields of each line: which process of which host writes it. */
  readonly base: LogFields;
  /** Writes one line with its line break. */
  readonly write: (line: string) => void;
}

/**
 * Creates a logger that writes one line of JSON per entry, by pino. A line has `level`, `time` (ISO 8601), the base fields and those of the entry. Its
 * text is `msg`. An error is an object with type, message, stack and code.
 */
export function jsonLogger({ level, base, write }: JsonLoggerOptions): Logger {
  const lines = pino(
    {
      ...{ level, base, timestamp: stdTimeFunctions.isoTime },
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: stdSerializers.err },
    },
    { write },
  );
  const at =
    (name: LogLevel) =>
    (text: string, fields: LogFields = {}): void =>
      lines[name](fields, text);
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

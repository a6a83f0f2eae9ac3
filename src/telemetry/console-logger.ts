import {
  assertOptions,
  callable,
  type LogFields,
  type Logger,
  optionShape,
  stackText,
  word,
} from "../core/internal.ts";

/** Levels of log entries, lowest first. */
export type LogLevel = "debug" | "info" | "warn" | "error";

const levels: readonly LogLevel[] = ["debug", "info", "warn", "error"];

/** Options of `consoleLogger`. */
export interface ConsoleLoggerOptions {
  /** Lowest level that is written. Default: `info`. */
  readonly level?: LogLevel | undefined;
  /** Writes one line. Default: `console.error`, so that standard output stays the program's. */
  readonly write?: ((line: string) => void) | undefined;
  /** Returns the time at the start of each line. Default: the system's. */
  readonly now?: (() => Date) | undefined;
}

const shape = optionShape<ConsoleLoggerOptions>({ level: word(...levels), write: callable, now: callable });

/**
 * Creates a logger that writes one line per entry: time, level, text, and the fields as `name=value`. Texts with blanks
 * in them are quoted.
 *
 * @example
 * ```ts
 * const runtime = new GrpcWorkerAgentRuntime(address, { logger: consoleLogger({ level: "debug" }) });
 * ```
 */
export function consoleLogger(options: ConsoleLoggerOptions = {}): Logger {
  assertOptions(options, shape, "consoleLogger");
  const { level: least = "info", write = (line) => console.error(line), now = () => new Date() } = options;
  const at = (level: LogLevel) => {
    if (levels.indexOf(level) < levels.indexOf(least)) return () => undefined;
    return (text: string, fields?: LogFields) => {
      write(`${now().toISOString()} ${level.padEnd(5)} ${text}${fieldsText(fields)}`);
    };
  };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

function fieldsText(fields: LogFields | undefined): string {
  if (fields === undefined) return "";
  return Object.entries(fields)
    .map(([name, value]) => ` ${name}=${valueText(value)}`)
    .join("");
}

/** A text after which a reader could not tell where the next field begins. */
const needsQuotes = /[\s"=]|^$/;

function valueText(value: unknown): string {
  if (value instanceof Error) return stackText(value);
  if (typeof value === "string") return needsQuotes.test(value) ? JSON.stringify(value) : value;
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return String(value);
  }
}

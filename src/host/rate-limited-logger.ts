import { type Clock, errorText, type LogFields, type Logger, type Timer } from "../core/internal.ts";
import { limits } from "./limits.ts";

type Level = "debug" | "info" | "warn" | "error";

interface Window {
  readonly level: Level;
  readonly startMs: number;
  lines: number;
  withheld: number;
  timer: Timer | undefined;
}

/** The longest value that a log line holds, in characters. */
const maxValueChars = 200;
/** Elements of a list that a log line holds. */
const maxListed = 20;

/** Control characters, line and paragraph separators, and marks that change the direction of text. */
const unprintable = /[\p{Cc}\p{Cf}\u2028\u2029\p{Cs}]/gu;

/** Makes a text from outside safe for one line of a log: cut to 200 characters, unprintable characters as `\\u001b`. */
export function logText(text: string): string {
  const isLong = text.length > maxValueChars;
  const kept = isLong ? text.slice(0, maxValueChars) : text;
  const escaped = kept.replace(
    unprintable,
    (character) => `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`,
  );
  return isLong ? `${escaped}…` : escaped;
}

/** The fields of a log line with every text in them made safe. */
export function logFields(fields: LogFields): LogFields {
  const known = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(known.map(([name, value]) => [name, logValue(value)]));
}

function logValue(value: unknown): unknown {
  if (typeof value === "number" || typeof value === "boolean") return value;
  if (!Array.isArray(value)) return logText(errorText(value));
  const shown = value.slice(0, maxListed).map((one) => logText(String(one)));
  return value.length > maxListed ? [...shown, `… ${value.length - maxListed} more`] : shown;
}

/**
 * Passes on the first 50 lines of one text and level in each window of 10 s, and at its end how many it withheld. So one worker
 * that misbehaves does not fill the log. The host's own texts are few. Every field that it passes on is safe to print.
 */
export class RateLimitedLogger implements Logger {
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #windows = new Map<string, Window>();

  constructor(logger: Logger, clock: Clock) {
    this.#logger = logger;
    this.#clock = clock;
  }

  debug(text: string, fields?: LogFields): void {
    this.#pass("debug", text, fields);
  }

  info(text: string, fields?: LogFields): void {
    this.#pass("info", text, fields);
  }

  warn(text: string, fields?: LogFields): void {
    this.#pass("warn", text, fields);
  }

  error(text: string, fields?: LogFields): void {
    this.#pass("error", text, fields);
  }

  /** Writes how many lines it withheld, and stops all timers. */
  flush(): void {
    for (const [text, window] of this.#windows) this.#end(text, window);
  }

  #pass(level: Level, text: string, fields: LogFields | undefined): void {
    const window = this.#windowOf(level, text);
    window.lines += 1;
    if (window.lines <= limits.logLines) {
      this.#write(level, text, fields);
      return;
    }
    window.withheld += 1;
    const leftMs = window.startMs + limits.logWindowMs - this.#clock.now();
    window.timer ??= this.#clock.setTimer(leftMs, () => this.#end(text, window));
  }

  #windowOf(level: Level, text: string): Window {
    const nowMs = this.#clock.now();
    const known = this.#windows.get(text);
    if (known?.level === level && nowMs < known.startMs + limits.logWindowMs) return known;
    if (known !== undefined) this.#end(text, known);
    const window: Window = { level, startMs: nowMs, lines: 0, withheld: 0, timer: undefined };
    this.#windows.set(text, window);
    return window;
  }

  #end(text: string, window: Window): void {
    window.timer?.cancel();
    this.#windows.delete(text);
    if (window.withheld > 0) this.#write(window.level, `${text} (repeated)`, { times: window.withheld });
  }

  #write(level: Level, text: string, fields: LogFields | undefined): void {
    try {
      const returned: unknown =
        fields === undefined ? this.#logger[level](text) : this.#logger[level](text, logFields(fields));
      // An async function is assignable to a logger's method; its rejection must not end the process.
      if (typeof returned === "object" && returned !== null) Promise.resolve(returned).catch(() => undefined);
    } catch {
      // A logger that throws must not stop the host, and there is no other place to say so.
    }
  }
}

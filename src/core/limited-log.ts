import { type Clock, realClock, type Timer } from "./clock.ts";
import { loggableFields, loggableUpTo } from "./delivery/loggable.ts";
import type { LogFields, Logger } from "./logger.ts";
import { isThenable } from "./thenable.ts";

/** Lines of one kind that a window may have, and the length of a window in milliseconds. */
export const lineLimits = { lines: 50, windowMs: 10_000 } as const;
const { lines: mostLines, windowMs } = lineLimits;
/** Kinds that are remembered at once. */
const mostKinds = 1_000;
/** The longest text of a line, in characters. */
const longestLine = 2_500;

type Level = "debug" | "info" | "warn" | "error";

/** Log of a runtime's own code. Lines with one `kind` count together; without it those of one text do. */
export interface RuntimeLog extends Logger {
  debug(text: string, fields?: LogFields, kind?: string): void;
  info(text: string, fields?: LogFields, kind?: string): void;
  warn(text: string, fields?: LogFields, kind?: string): void;
  error(text: string, fields?: LogFields, kind?: string): void;
}

interface Window {
  readonly level: Level;
  readonly startMs: number;
  lines: number;
  withheld: number;
  timer: Timer | undefined;
}

/** Makes a line safe to print: in one line, without control characters, of a bounded length. */
export interface LineFilter {
  readonly text: (text: string) => string;
  readonly fields: (fields: LogFields) => LogFields;
}

const defaultFilter: LineFilter = { text: (text) => loggableUpTo(longestLine, text), fields: loggableFields };

/**
 * Passes on the first 50 lines of one kind and level in each window of 10 s, and at its end how many it withheld. So a peer or a
 * handler that misbehaves does not fill the log. Each line that it passes on is safe to print. The failure of a logger is dropped.
 */
export class LimitedLog implements RuntimeLog {
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #filter: LineFilter;
  readonly #windows = new Map<string, Window>();

  constructor(logger: Logger, clock: Clock, filter: LineFilter = defaultFilter) {
    this.#logger = logger;
    this.#clock = clock;
    this.#filter = filter;
  }

  debug(text: string, fields?: LogFields, kind?: string): void {
    this.#pass("debug", text, fields, kind);
  }

  info(text: string, fields?: LogFields, kind?: string): void {
    this.#pass("info", text, fields, kind);
  }

  warn(text: string, fields?: LogFields, kind?: string): void {
    this.#pass("warn", text, fields, kind);
  }

  error(text: string, fields?: LogFields, kind?: string): void {
    this.#pass("error", text, fields, kind);
  }

  /** Writes how many lines it withheld, and stops all timers. */
  flush(): void {
    for (const [kind, window] of this.#windows) this.#end(kind, window);
  }

  #pass(level: Level, text: string, fields: LogFields | undefined, kind = text): void {
    const window = this.#windowOf(level, kind);
    window.lines += 1;
    if (window.lines <= mostLines) {
      this.#write(level, text, fields);
      return;
    }
    window.withheld += 1;
    const leftMs = window.startMs + windowMs - this.#clock.now();
    window.timer ??= this.#clock.setTimer(leftMs, () => this.#end(kind, window));
  }

  #windowOf(level: Level, kind: string): Window {
    const nowMs = this.#clock.now();
    const known = this.#windows.get(kind);
    if (known?.level === level && nowMs < known.startMs + windowMs) return known;
    if (known !== undefined) this.#end(kind, known);
    const [oldest] = this.#windows;
    if (oldest !== undefined && this.#windows.size >= mostKinds) this.#end(...oldest);
    const window: Window = { level, startMs: nowMs, lines: 0, withheld: 0, timer: undefined };
    this.#windows.set(kind, window);
    return window;
  }

  #end(kind: string, window: Window): void {
    window.timer?.cancel();
    this.#windows.delete(kind);
    if (window.withheld > 0) this.#write(window.level, `${kind} (repeated)`, { times: window.withheld });
  }

  #write(level: Level, text: string, fields: LogFields | undefined): void {
    const { text: textOf, fields: fieldsOf } = this.#filter;
    try {
      const line = textOf(text);
      const returned: unknown =
        fields === undefined ? this.#logger[level](line) : this.#logger[level](line, fieldsOf(fields));
      // An async function is assignable to a logger's method; its rejection must not end the process.
      if (isThenable(returned)) void returned.then(undefined, () => undefined);
    } catch {
      // A logger that throws must not stop the runtime, and there is no other place to say so.
    }
  }
}

/** Limited logs of runtimes' loggers, for agents, which know only their runtime's logger. */
const ofAgents = new WeakMap<Logger, LimitedLog>();

/** Returns the limited log of a logger for lines that agents of the package write. All runtimes with the logger share it. */
export function limitedLogOf(logger: Logger): RuntimeLog {
  const log = ofAgents.get(logger) ?? new LimitedLog(logger, realClock);
  ofAgents.set(logger, log);
  return log;
}

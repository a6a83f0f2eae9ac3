import type { Clock, LogFields, Logger, Timer } from "../core/internal.ts";
import { limits } from "./limits.ts";

type Level = "debug" | "info" | "warn" | "error";

interface Window {
  readonly level: Level;
  readonly startMs: number;
  lines: number;
  withheld: number;
  timer: Timer | undefined;
}

/**
 * Passes on so many lines of one text and level in a window of time, and at its end how many were withheld: one worker that
 * misbehaves fills no log. The texts are the host's own, so there are few.
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

  /** Tells what was withheld, and stops all timers. */
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
      this.#logger[level](text, fields);
    } catch {
      // A logger that throws must not stop what it is told of; there is nobody else to tell.
    }
  }
}

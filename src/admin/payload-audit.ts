import type { Clock, RuntimeLog, Timer } from "../core/internal.ts";
import type { AdminRights } from "./admin-rights.ts";

/** The kinds of contents that a principal reads. */
export type ReadContent = "messages" | "states" | "dead letters" | "runs";

/** Milliseconds in which one principal has one line at most about one kind. */
const windowMs = 1_000;

interface Window {
  readonly principal: string;
  readonly what: ReadContent;
  /** Those since the last line. */
  count: number;
  timer: Timer | undefined;
}

/**
 * Logs which principal reads the contents of messages, states, runs and dead letters: the first one at once, and those of each further second together. It
 * keeps something only of principals that have read in the last second.
 */
export class PayloadAudit {
  readonly #log: RuntimeLog | undefined;
  readonly #clock: Clock;
  readonly #windows = new Map<string, Window>();

  constructor(log: RuntimeLog | undefined, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  /** Notes that a caller gets contents. The operator of this machine leaves no line. */
  note({ principal }: Pick<AdminRights, "principal">, what: ReadContent, count = 1): void {
    if (principal === undefined || count === 0 || this.#log === undefined) return;
    const key = `${what} ${principal.name}`;
    const known = this.#windows.get(key);
    const window = known ?? { principal: principal.name, what, count: 0, timer: undefined };
    window.count += count;
    if (known !== undefined) return;
    this.#windows.set(key, window);
    this.#say(key, window);
  }

  /** Says what is left to say. */
  close(): void {
    for (const window of this.#windows.values()) {
      window.timer?.cancel();
      if (window.count > 0) this.#line(window);
    }
    this.#windows.clear();
  }

  #say(key: string, window: Window): void {
    this.#line(window);
    window.count = 0;
    window.timer = this.#clock.setTimer(windowMs, () => {
      if (window.count > 0) this.#say(key, window);
      else this.#windows.delete(key);
    });
  }

  #line({ principal, what, count }: Window): void {
    // Of its own kind, so that no other principal keeps it out of the log.
    this.#log?.info("a principal reads contents", { principal, what, count }, `contents ${principal}`);
  }
}

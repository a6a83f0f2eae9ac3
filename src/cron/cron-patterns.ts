import { Cron } from "croner";
import { type CronPatterns, errorText, quoted, TroupeError } from "../core/internal.ts";

/** Patterns that are kept parsed: parsing takes longer than finding the next time. */
const mostPatterns = 1_000;

/** Parsed patterns by time zone and text; the one that was used longest ago first. */
const parsed = new Map<string, Cron>();

/**
 * Cron patterns in time zones, by `croner`: five fields, or six with seconds first, and names such as `MON`. A time that a change of the
 * clocks leaves out comes when the clocks have changed. One that comes twice is taken once, by patterns with a single hour and minute.
 *
 * @example
 * ```ts
 * import { SingleThreadedAgentRuntime } from "troupe";
 * import { cronPatterns } from "troupe/cron";
 *
 * const runtime = new SingleThreadedAgentRuntime({ cron: cronPatterns });
 * ```
 */
export const cronPatterns: CronPatterns = {
  next(pattern, timeZone, afterMs) {
    try {
      return parse(pattern, timeZone).nextRun(new Date(afterMs))?.getTime();
    } catch (cause) {
      const text = `The cron pattern ${quoted(pattern)} in time zone ${quoted(timeZone)} can't be read: ${errorText(cause)}`;
      throw new TroupeError("invalid-argument", text, { cause });
    }
  },
};

function parse(pattern: string, timeZone: string): Cron {
  const key = `${timeZone} ${pattern}`;
  const known = parsed.get(key);
  parsed.delete(key);
  // Without a function it starts no timer.
  const cron = known ?? new Cron(pattern, { timezone: timeZone });
  parsed.set(key, cron);
  const [oldest] = parsed.keys();
  if (parsed.size > mostPatterns && oldest !== undefined) parsed.delete(oldest);
  return cron;
}

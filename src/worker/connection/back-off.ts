import type { ReconnectSettings } from "./reconnect-options.ts";

/** Milliseconds before the attempt after `failures` failed ones in a row. `random`: from 0 up to 1. */
export function backOffMs(failures: number, settings: ReconnectSettings, random: () => number): number {
  const { initialDelayMs, maxDelayMs, factor, jitter } = settings;
  const longest = Math.min(maxDelayMs, initialDelayMs * Math.min(factor ** failures, Number.MAX_VALUE));
  return Math.round(longest * (1 - jitter * random()));
}

/** Writes numbers and times for people. */

const whole = new Intl.NumberFormat("en");

export function count(value: number): string {
  return whole.format(Math.round(value));
}

/** A rate, with one digit behind the point if it is small. */
export function rate(value: number): string {
  return value >= 10 || value === 0 ? count(value) : value.toFixed(1);
}

export function bytes(value: number): string {
  if (value < 1_024) return `${count(value)} B`;
  if (value < 1_024 ** 2) return `${(value / 1_024).toFixed(1)} KiB`;
  return `${(value / 1_024 ** 2).toFixed(1)} MiB`;
}

export function duration(ms: number | null): string {
  if (ms === null) return "–";
  if (ms < 1) return `${ms.toFixed(2)} ms`;
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1_000)} s`;
}

/** The time of day of an ISO text, in the reader's zone. */
export function clockTime(iso: string): string {
  const date = new Date(iso);
  return Number.isNaN(date.valueOf()) ? iso : date.toLocaleTimeString("en-GB", { hour12: false });
}

/** Date and time of an ISO text, in the reader's zone. */
export function fullTime(iso: string): string {
  const date = new Date(iso);
  return Number.isNaN(date.valueOf())
    ? iso
    : date.toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "medium" });
}

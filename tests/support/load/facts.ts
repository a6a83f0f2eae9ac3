/** Prints what a test measured, for people and for the closing note; a fact is never asserted. */
export function fact(what: string, value: string): void {
  console.log(`fact: ${what}: ${value}`);
}

/** The middle, the 99th percentile and the largest of some durations, in words. */
export function spread(durationsMs: readonly number[]): string {
  const sorted = [...durationsMs].sort((a, b) => a - b);
  const at = (part: number) => (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0).toFixed(1);
  return `median ${at(0.5)} ms, 99 % ${at(0.99)} ms, last ${at(1)} ms (${sorted.length} of them)`;
}

export function mebibytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}

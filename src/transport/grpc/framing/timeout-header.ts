/** The header allows eight digits. */
const LARGEST_VALUE = 99_999_999;

/** Milliseconds as a `grpc-timeout` value, rounded up, in the finest unit that fits eight digits. Negative means 0. */
export function formatTimeout(timeoutMs: number): string {
  const wholeMs = Math.ceil(Math.max(0, timeoutMs));
  if (wholeMs <= LARGEST_VALUE) return `${wholeMs}m`;
  const seconds = Math.ceil(wholeMs / 1_000);
  if (seconds <= LARGEST_VALUE) return `${seconds}S`;
  return `${Math.min(LARGEST_VALUE, Math.ceil(seconds / 3_600))}H`;
}

/** Milliseconds of a `grpc-timeout` value, or undefined when it is malformed. */
export function parseTimeout(header: string): number | undefined {
  const match = /^(\d{1,8})([HMSmun])$/.exec(header);
  if (match === null) return undefined;
  return Number(match[1]) * msPerUnit(match[2]);
}

function msPerUnit(unit: string | undefined): number {
  switch (unit) {
    case "H":
      return 3_600_000;
    case "M":
      return 60_000;
    case "S":
      return 1_000;
    case "u":
      return 0.001;
    case "n":
      return 0.000_001;
    default:
      return 1;
  }
}

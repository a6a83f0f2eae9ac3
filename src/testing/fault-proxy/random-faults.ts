import { type SeededRandom, seededRandom } from "../seeded-random.ts";
import type { Fault, FaultDirection, FaultKind, FaultStep } from "./fault.ts";

export interface RandomFaultsOptions {
  /** What may happen. Default: everything. */
  readonly kinds?: readonly [FaultKind, ...FaultKind[]] | undefined;
  /** Most faults of one connection. Default 3; the least is none. */
  readonly maxFaults?: number | undefined;
  /** A fault comes before so many bytes have passed in the direction that it counts. Default 16 KiB. */
  readonly withinBytes?: number | undefined;
  /** How long a lasting fault lasts at most, in milliseconds. Default 500. */
  readonly maxLastsMs?: number | undefined;
}

const everything = ["delay", "throttle", "stall", "drop", "half-close", "close", "reset", "refuse"] as const;

/** What a seed does to one connection, the same every time. A `drop` is followed by a reset: nobody could read on after the gap. */
export function randomFaults(seed: number, connection: number, options: RandomFaultsOptions = {}): FaultStep[] {
  const { kinds = everything, maxFaults = 3, withinBytes = 16_384, maxLastsMs = 500 } = options;
  const random = seededRandom(seed, connection);
  const steps: FaultStep[] = [];
  for (let left = random.between(0, maxFaults); left > 0; left--) {
    const fault = randomFault(random, random.pick(kinds), maxLastsMs);
    // A connection is refused at its first byte, or not at all.
    if (fault.kind === "refuse") return [{ fault, connection }];
    const moment = { connection, of: direction(random), afterBytes: random.between(1, withinBytes) };
    steps.push({ fault, ...moment });
    if (fault.kind === "drop")
      steps.push({ fault: { kind: "reset" }, connection, afterMs: random.between(1, maxLastsMs) });
  }
  return steps;
}

function randomFault(random: SeededRandom, kind: FaultKind, maxLastsMs: number): Fault {
  const forMs = random.between(1, maxLastsMs);
  switch (kind) {
    case "delay":
      return { kind, delayMs: random.between(1, 50), jitterMs: random.between(0, 50), forMs };
    case "throttle":
      return { kind, bytesPerSecond: random.between(1_000, 1_000_000), forMs };
    case "stall":
      return { kind, in: random.pick([undefined, "to-target", "to-client"]), forMs };
    case "drop":
      return { kind, in: random.pick([undefined, "to-target", "to-client"]) };
    case "half-close":
      return { kind, in: direction(random) };
    case "close":
    case "reset":
    case "refuse":
    case "heal":
      return { kind };
  }
}

function direction(random: SeededRandom): FaultDirection {
  return random.pick(["to-target", "to-client"]);
}

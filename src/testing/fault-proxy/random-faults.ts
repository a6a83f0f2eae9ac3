import {
  anyRoom,
  assertArgument,
  assertOptions,
  listOf,
  number,
  type OptionKinds,
  optionShape,
  someRoom,
  someTime,
  word,
} from "../../core/internal.ts";
import { type SeededRandom, seededRandom } from "../seeded-random.ts";
import { type Fault, type FaultDirection, type FaultKind, type FaultStep, faultKinds } from "./fault.ts";

/** Which faults `randomFaults` may choose, and how many. */
export interface RandomFaultsOptions {
  /** Kinds of faults to choose from. Default: all. */
  readonly kinds?: readonly [FaultKind, ...FaultKind[]] | undefined;
  /** Maximum number of faults of one connection; the minimum is 0. Default: 3. */
  readonly maxFaults?: number | undefined;
  /** Limit of bytes passed before a fault, in its direction. Default: 16 KiB. */
  readonly withinBytes?: number | undefined;
  /** Maximum duration of a lasting fault, in milliseconds. Default: 500. */
  readonly maxLastsMs?: number | undefined;
}

const kindOfFault = word(...faultKinds);
const listOfKinds = listOf(kindOfFault);

export const randomFaultsKinds: OptionKinds<RandomFaultsOptions> = {
  kinds: {
    ...listOfKinds,
    expected: `a list with at least one kind of fault: ${kindOfFault.expected}`,
    accepts: (value) => listOfKinds.accepts(value) && Array.isArray(value) && value.length > 0,
  },
  maxFaults: number(anyRoom),
  withinBytes: number(someRoom),
  maxLastsMs: number(someTime),
};
const randomFaultsShape = optionShape<RandomFaultsOptions>(randomFaultsKinds);

const everything = ["delay", "throttle", "stall", "drop", "half-close", "close", "reset", "refuse"] as const;

/**
 * Returns the faults of one connection for a seed, the same every time. A reset follows each `drop`, because a stream
 * with a gap is unreadable.
 */
export function randomFaults(seed: number, connection: number, options: RandomFaultsOptions = {}): FaultStep[] {
  assertArgument(seed, "The seed of random faults", number({ from: Number.NEGATIVE_INFINITY }));
  assertOptions(options, randomFaultsShape, "randomFaults");
  const { kinds = everything, maxFaults = 3, withinBytes = 16_384, maxLastsMs = 500 } = options;
  const random = seededRandom(seed, connection);
  const steps: FaultStep[] = [];
  for (let left = random.between(0, maxFaults); left > 0; left--) {
    const fault = randomFault(random, random.pick(kinds), maxLastsMs);
    // A connection is refused at its first byte, or not.
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

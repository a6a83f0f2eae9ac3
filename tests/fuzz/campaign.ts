import { type SeededRandom, seededRandom } from "../../src/testing/seeded-random.ts";
import { checkFrame } from "./check-frames.ts";
import { checkStream, streamOf } from "./check-framing.ts";
import { mutateBytes } from "./mutate-bytes.ts";
import { mutateFields } from "./mutate-fields.ts";
import { seeds } from "./seeds.ts";

export interface Finding {
  readonly what: "frame" | "stream";
  readonly input: Uint8Array;
  readonly error: unknown;
  /** Which input of the campaign it was; `npm run fuzz -- --seed S --from N --inputs 1` tries it alone. */
  readonly number: number;
}

export interface CampaignOptions {
  readonly seed: number;
  readonly from?: number;
  /** Asked before every input. */
  readonly goesOn: (tried: number) => boolean;
}

/** Tries mutated frames and streams one after another; each depends on the seed and its number only. Returns the first finding. */
export function runCampaign({ seed, from = 0, goesOn }: CampaignOptions): {
  tried: number;
  finding: Finding | undefined;
} {
  let tried = 0;
  for (; goesOn(tried); tried += 1) {
    const number = from + tried;
    const finding = tryInput(seededRandom(seed, number), number);
    if (finding !== undefined) return { tried: tried + 1, finding };
  }
  return { tried, finding: undefined };
}

function tryInput(random: SeededRandom, number: number): Finding | undefined {
  const isStream = number % 10 === 9;
  const input = isStream ? streamOf(random, mutants(random, random.between(1, 6))) : mutant(random);
  try {
    if (isStream) checkStream(random, input);
    else checkFrame(input);
    return undefined;
  } catch (error) {
    return { what: isStream ? "stream" : "frame", input, error, number };
  }
}

/** A mutated seed. */
export function mutant(random: SeededRandom): Uint8Array {
  const mutate = random.between(0, 2) === 0 ? mutateBytes : mutateFields;
  const once = mutate(random, someSeed(random), someSeed(random));
  return random.between(0, 4) === 0 ? mutateBytes(random, once, someSeed(random)) : once;
}

export function mutants(random: SeededRandom, count: number): Uint8Array[] {
  return Array.from({ length: count }, () => mutant(random));
}

function someSeed(random: SeededRandom): Uint8Array {
  return seeds[random.between(0, seeds.length - 1)] ?? new Uint8Array(0);
}

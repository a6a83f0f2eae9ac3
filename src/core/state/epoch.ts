import { TroupeError } from "../errors.ts";

/**
 * Says under which placement of an agent a commit was made. A store refuses a commit whose epoch is older than the one that is stored.
 * All three numbers are whole and not negative.
 */
export interface Epoch {
  /** The opening of the store, or the generation of a cluster. It decides first. */
  readonly generation: number;
  /** Rises when an agent type changes between exclusive and shared. It decides second. */
  readonly era: number;
  /** Rises with each placement of the agent. It decides last. */
  readonly number: number;
}

/** Compares two epochs: negative if `a` is older, positive if it is newer, 0 if they are equal. */
export function compareEpochs(a: Epoch, b: Epoch): number {
  return a.generation - b.generation || a.era - b.era || a.number - b.number;
}

/** Formats an epoch as `generation.era.number`. */
export function formatEpoch({ generation, era, number }: Epoch): string {
  return `${generation}.${era}.${number}`;
}

const epochPattern = /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)$/;

/** Parses the text of `formatEpoch`. Throws `invalid-argument` for any other text, and for numbers over 2^53 - 1. */
export function parseEpoch(text: string): Epoch {
  const [, ...parts] = epochPattern.exec(text) ?? [];
  const [generation, era, number] = parts.map(Number);
  if (!isWhole(generation) || !isWhole(era) || !isWhole(number)) {
    const shown = JSON.stringify(text.slice(0, 100));
    throw new TroupeError("invalid-argument", `An epoch is three whole numbers, such as "1.0.7", not ${shown}.`);
  }
  return { generation, era, number };
}

function isWhole(value: number | undefined): value is number {
  return Number.isSafeInteger(value);
}

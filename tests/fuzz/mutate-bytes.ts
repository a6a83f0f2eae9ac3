import type { SeededRandom } from "../../src/testing/seeded-random.ts";
import { tokens } from "./seeds.ts";

const longest = 4_096;

/** One to six small harms: bits flipped, bytes set, cut out, doubled, moved, cut off, spliced with another input. */
export function mutateBytes(random: SeededRandom, bytes: Uint8Array, other: Uint8Array): Uint8Array {
  let mutant = bytes;
  for (let left = random.between(1, 6); left > 0; left -= 1) mutant = harm(random, mutant, other);
  return mutant.subarray(0, longest);
}

function harm(random: SeededRandom, bytes: Uint8Array, other: Uint8Array): Uint8Array {
  const at = random.between(0, Math.max(0, bytes.length - 1));
  const to = random.between(at, bytes.length);
  switch (random.between(0, 9)) {
    case 0:
      return set(bytes, at, (bytes[at] ?? 0) ^ (1 << random.between(0, 7)));
    case 1:
      return set(bytes, at, random.between(0, 255));
    case 2: // a length one off, or a tag with its neighbour's wire type
      return set(bytes, at, (bytes[at] ?? 0) + (random.between(0, 1) === 0 ? 1 : -1));
    case 3:
      return bytes.subarray(0, at);
    case 4:
      return join(bytes.subarray(0, at), bytes.subarray(to));
    case 5:
      return join(bytes.subarray(0, to), bytes.subarray(at));
    case 6:
      return join(bytes.subarray(0, at), other.subarray(random.between(0, other.length)));
    case 7:
      return join(bytes, other);
    case 8:
      return join(bytes.subarray(0, at), tokenOf(random), bytes.subarray(at));
    default:
      return join(bytes.subarray(0, at), tokenOf(random), bytes.subarray(to));
  }
}

export function tokenOf(random: SeededRandom): Uint8Array {
  return tokens[random.between(0, tokens.length - 1)] ?? new Uint8Array(0);
}

export function join(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

function set(bytes: Uint8Array, at: number, value: number): Uint8Array {
  if (at >= bytes.length) return bytes;
  const copy = Uint8Array.from(bytes);
  copy[at] = value & 0xff;
  return copy;
}

import { hashOfText } from "../../core/internal.ts";

/** The name that a text prefers among others, the same at all hosts: highest rendezvous hash. */
export function preferred(names: readonly string[], text: string): string | undefined {
  let best: string | undefined;
  let highest = -1;
  for (const name of names) {
    const hash = hashOf(`${name}/${text}`);
    if (hash > highest || (hash === highest && name > (best ?? ""))) {
      best = name;
      highest = hash;
    }
  }
  return best;
}

/** Mixes the bits of a text's hash: the high ones of FNV-1a alone differ too seldom to be compared. */
function hashOf(text: string): number {
  let hash = hashOfText(text);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return (hash ^ (hash >>> 13)) >>> 0;
}

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

/** FNV-1a with a last mixing, since rendezvous compares the high bits. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return (hash ^ (hash >>> 13)) >>> 0;
}

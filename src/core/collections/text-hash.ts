// Names on the wire and choices of all hosts depend on it.
/** Returns the FNV-1a hash of a text's UTF-16 units, a whole number below 2^32. It never changes. */
export function hashOfText(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash >>> 0;
}

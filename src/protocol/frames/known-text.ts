/** Longer texts are seldom names, and are not cached. */
const longestKept = 48;
const slots = 1024;

/** The last text of each slot. A name that is read again is the same string: flat, and already hashed for look-ups. */
let known: string[] | undefined;

/**
 * Reads ASCII text, as a cached string if possible: the names of types, keys and attributes repeat. To create and hash
 * a string takes five times as long as to compare it (0.27 and 0.05 µs for 11 characters). Undefined for text that is
 * longer or not ASCII.
 */
export function knownTextAt(bytes: Uint8Array, start: number, end: number): string | undefined {
  const length = end - start;
  if (length > longestKept) return undefined;
  let hash = length;
  for (let at = start; at < end; at += 1) hash = (Math.imul(hash, 31) + (bytes[at] ?? 0)) | 0;
  known ??= Array.from({ length: slots }, () => "");
  const slot = (hash ^ (hash >>> 10) ^ (hash >>> 20)) & (slots - 1);
  const text = known[slot] ?? "";
  if (text.length === length && isSame(text, bytes, start)) return text;
  const fresh = asciiAt(bytes, start, end);
  if (fresh !== undefined) known[slot] = fresh;
  return fresh;
}

function isSame(text: string, bytes: Uint8Array, start: number): boolean {
  for (let at = 0; at < text.length; at += 1) if (text.charCodeAt(at) !== bytes[start + at]) return false;
  return true;
}

function asciiAt(bytes: Uint8Array, start: number, end: number): string | undefined {
  let text = "";
  for (let at = start; at < end; at += 1) {
    const byte = bytes[at] ?? 0;
    if (byte >= 0x80) return undefined;
    text += String.fromCharCode(byte);
  }
  return text;
}

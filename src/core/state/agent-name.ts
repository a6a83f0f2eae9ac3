/**
 * Names one agent in a store. Both parts may be any text, the empty one too. Two names are the same when both parts are equal, byte
 * for byte in UTF-8. A store takes parts of up to 1 024 characters; it may refuse longer ones.
 */
export interface AgentName {
  readonly type: string;
  readonly key: string;
}

/** Returns one text for a name. No other name has the same. */
export function textOfName({ type, key }: AgentName): string {
  return `${type.length}:${type}/${key}`;
}

/** Compares two texts by their bytes in UTF-8, as databases do: negative if `a` comes first. */
export function compareBytes(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at += 1) {
    const [one, other] = [a.charCodeAt(at), b.charCodeAt(at)];
    if (one !== other) return rankOf(one) - rankOf(other);
  }
  return a.length - b.length;
}

/** Compares two names: by type, then by key. */
export function compareNames(a: AgentName, b: AgentName): number {
  return compareBytes(a.type, b.type) || compareBytes(a.key, b.key);
}

/** Half of a surrogate pair stands for a character beyond U+FFFF, so that it comes after U+E000 to U+FFFF. */
function rankOf(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit > 0xdfff ? unit - 0x800 : unit + 0x2000;
}

/** Shards that the names of agents are spread over. */
export const shardCount = 32;

const encoder = new TextEncoder();
const [firstHash, prime] = [0x811c9dc5, 0x01000193];
const slash = 0x2f;

/** Returns the shard of an agent, from 0 to 31: FNV-1a of `type/key` in UTF-8, modulo 32. It never changes. */
export function shardOf({ type, key }: AgentName): number {
  const ofType = hashOfAscii(firstHash, type);
  const hash = ofType === undefined ? undefined : hashOfAscii(Math.imul(ofType ^ slash, prime), key);
  return ((hash ?? hashOfBytes(`${type}/${key}`)) >>> 0) % shardCount;
}

/** Adds a text to a hash. Undefined: it has other characters than those of ASCII. */
function hashOfAscii(from: number, text: string): number | undefined {
  let hash = from;
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    if (unit > 0x7f) return undefined;
    hash = Math.imul(hash ^ unit, prime);
  }
  return hash;
}

function hashOfBytes(text: string): number {
  return encoder.encode(text).reduce((hash, byte) => Math.imul(hash ^ byte, prime), firstHash);
}

import { randomBytes } from "node:crypto";

/** Hashes the first bytes of a buffer, with a number beside them. */
export type KeyHash = (bytes: Uint8Array, length: number, beside: number) => number;

/**
 * Creates a hash with a secret of its own: HalfSipHash-1-3. Callers choose the keys of agents. Without the secret they can't choose many
 * with one hash, over which each search in a table would pass.
 */
export function createKeyHash(secret: Uint8Array = randomBytes(8)): KeyHash {
  const view = new DataView(secret.buffer, secret.byteOffset, 8);
  const [k0, k1] = [view.getInt32(0, true), view.getInt32(4, true)];
  let [v0, v1, v2, v3] = [0, 0, 0, 0];
  const mix = (): void => {
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
  };
  const take = (word: number): void => {
    v3 ^= word;
    mix();
    v0 ^= word;
  };
  return (bytes, length, beside) => {
    v0 = k0;
    v1 = k1;
    v2 = 0x6c796765 ^ k0;
    v3 = 0x74656462 ^ k1;
    take(beside);
    let word = 0;
    for (let at = 0; at < length; at += 1) {
      word |= (bytes[at] ?? 0) << (8 * (at & 3));
      if ((at & 3) < 3) continue;
      take(word);
      word = 0;
    }
    take(word | ((length + 4) << 24));
    v2 ^= 0xff;
    mix();
    mix();
    mix();
    return v1 ^ v3;
  };
}

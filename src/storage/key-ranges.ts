import type { AgentName } from "../core/internal.ts";

// Ranges of texts that are stored as UTF-8 and sorted by their bytes.

/** Comes after each text in UTF-8. */
const afterAll = Uint8Array.of(0xff);

/** The key with which a page of one type begins. `after`: the name with which the last page ended. */
export function firstKey(type: Uint8Array, prefix: Uint8Array, after: AgentName | undefined): Uint8Array {
  if (after === undefined) return prefix;
  const order = Buffer.compare(Buffer.from(after.type), type);
  if (order !== 0) return order < 0 ? prefix : afterAll;
  const next = nextAfter(Buffer.from(after.key));
  return Buffer.compare(next, prefix) > 0 ? next : prefix;
}

/** The first text after this one. */
export function nextAfter(text: Uint8Array): Uint8Array {
  const next = new Uint8Array(text.length + 1);
  next.set(text);
  return next;
}

/** The first bytes after all texts with this prefix. No byte of UTF-8 is 255, so that adding 1 is enough. */
export function endOf(prefix: Uint8Array): Uint8Array {
  const end = Uint8Array.from(prefix);
  const last = end.length - 1;
  if (last < 0) return afterAll;
  end[last] = (end[last] ?? 0) + 1;
  return end;
}

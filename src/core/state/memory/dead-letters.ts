import { textOfName } from "../agent-name.ts";
import type { DeadLetter, DeadQuery, DeadReason, KeptMessage } from "../durable-log.ts";
import { storeLimits } from "../store-limits.ts";
import type { DeadPage } from "../store-log.ts";

/** The dead letters of a store in memory. */
export class DeadLetters {
  /** By number; the oldest first. */
  readonly #letters = new Map<number, DeadLetter>();
  /** Bytes of the letters of each agent type, as `letterSize` counts them. */
  readonly #bytesOf = new Map<string, number>();
  #bytes = 0;
  /** Bytes of the letters that came since the bound was looked at. */
  #unswept = 0;
  readonly #mostBytes: number;
  #last = 0;

  /** `mostBytes`: a small store keeps space for states. */
  constructor(mostBytes: number) {
    this.#mostBytes = Math.min(mostBytes, storeLimits.deadLettersBytes);
  }

  /** Adds a letter, and forgets others that are too old or too many. Returns by how much that changes the size of all. */
  add(
    { mailbox: { type, key }, id, kind, frame, sentAtMs, place, priorTakeovers }: KeptMessage,
    why: DeadReason,
    diedAtMs: number,
  ): { readonly bytes: number; readonly forgotten: number } {
    const old = this.#forget(diedAtMs - storeLimits.deadLetterMs);
    this.#last += 1;
    const letter: DeadLetter = {
      letter: String(this.#last),
      mailbox: { type, key },
      ...{ id, kind, frame: new Uint8Array(frame), sentAtMs, place, priorTakeovers },
      why: { code: why.code, text: why.text, attempts: why.attempts },
      diedAtMs,
    };
    this.#letters.set(this.#last, letter);
    this.#count(type, letterSize(frame.length));
    this.#unswept += letterSize(frame.length);
    const { count: forgotten, bytes: pushedOut } = this.#forgetBeyond();
    return { bytes: sizeOf(letter) - old - pushedOut, forgotten };
  }

  get(letter: string): DeadLetter | undefined {
    return this.#letters.get(Number(letter));
  }

  /** Removes a letter that is there; returns its size. */
  remove(letter: string): number {
    const found = this.get(letter);
    if (found === undefined) return 0;
    this.#letters.delete(Number(letter));
    this.#count(found.mailbox.type, -letterSize(found.frame.length));
    return sizeOf(found);
  }

  /**
   * Removes the oldest letters of the types that have the most, until all fit into the bound. There may be 60,000 types, so that it looks at
   * them once for each sixteenth of the bound.
   */
  #forgetBeyond(): { readonly count: number; readonly bytes: number } {
    let [count, bytes] = [0, 0];
    if (this.#bytes <= this.#mostBytes || this.#unswept <= this.#mostBytes / sweepsOfBound) return { count, bytes };
    this.#unswept = 0;
    const level = fairLevel([...this.#bytesOf.values()], this.#mostBytes);
    for (const { letter, mailbox } of this.#letters.values()) {
      if (this.#bytes <= this.#mostBytes) break;
      if ((this.#bytesOf.get(mailbox.type) ?? 0) <= level) continue;
      count += 1;
      bytes += this.remove(letter);
    }
    return { count, bytes };
  }

  /** Removes the letters that died before a time; returns their size. */
  #forget(beforeMs: number): number {
    let bytes = 0;
    for (const { letter, diedAtMs } of this.#letters.values()) {
      if (diedAtMs > beforeMs) break;
      bytes += this.remove(letter);
    }
    return bytes;
  }

  #count(type: string, bytes: number): void {
    this.#bytes += bytes;
    const ofType = (this.#bytesOf.get(type) ?? 0) + bytes;
    if (ofType === 0) this.#bytesOf.delete(type);
    else this.#bytesOf.set(type, ofType);
  }

  /** One page of the letters that died after a time. */
  page(
    { mailbox, after = "0", letter: named, limit, maxBytes = Number.POSITIVE_INFINITY }: DeadQuery,
    afterMs: number,
  ): DeadPage {
    if (named !== undefined) {
      const letter = this.get(named);
      const isThere = letter !== undefined && letter.diedAtMs > afterMs;
      return { letters: isThere ? [{ ...letter, frame: new Uint8Array(letter.frame) }] : [], isLast: true };
    }
    const wanted = mailbox && textOfName(mailbox);
    const found: DeadLetter[] = [];
    let bytes = 0;
    for (const [number, letter] of this.#letters) {
      if (number <= Number(after) || letter.diedAtMs <= afterMs) continue;
      if (wanted !== undefined && textOfName(letter.mailbox) !== wanted) continue;
      bytes += letter.frame.length;
      if (found.length === limit || (found.length > 0 && bytes > maxBytes)) return { letters: found, isLast: false };
      found.push({ ...letter, frame: new Uint8Array(letter.frame) });
    }
    return { letters: found, isLast: true };
  }
}

const letterBytes = 900;
const sweepsOfBound = 16;

/** Returns the bytes of a dead letter that count for the bound of all. A short one counts as 1 KiB more, so that their number is bounded, too. */
export function letterSize(frameBytes: number): number {
  return frameBytes + 1_024;
}

/** Returns how much each party may have, so that all have no more than the bound: the largest lose first. */
export function fairLevel(sizes: readonly number[], bound: number): number {
  let left = bound;
  let parties = sizes.length;
  for (const size of [...sizes].sort((a, b) => a - b)) {
    if (size * parties > left) return left / parties;
    left -= size;
    parties -= 1;
  }
  return Number.POSITIVE_INFINITY;
}

function sizeOf({ id, mailbox, why, frame }: DeadLetter): number {
  return letterBytes + 2 * (id.length + mailbox.type.length + mailbox.key.length + why.text.length) + frame.length;
}

import { textOfName } from "../agent-name.ts";
import type { DeadLetter, DeadQuery, DeadReason, KeptMessage } from "../durable-log.ts";
import type { DeadPage } from "../store-log.ts";

/** The dead letters of a store in memory. */
export class DeadLetters {
  /** By number; the oldest first. */
  readonly #letters = new Map<number, DeadLetter>();
  #last = 0;

  /** Adds a letter; returns its size. */
  add(
    { mailbox: { type, key }, id, kind, frame, sentAtMs, place, priorTakeovers }: KeptMessage,
    why: DeadReason,
    diedAtMs: number,
  ): number {
    this.#last += 1;
    const letter: DeadLetter = {
      letter: String(this.#last),
      mailbox: { type, key },
      ...{ id, kind, frame: new Uint8Array(frame), sentAtMs, place, priorTakeovers },
      why: { code: why.code, text: why.text, attempts: why.attempts },
      diedAtMs,
    };
    this.#letters.set(this.#last, letter);
    return sizeOf(letter);
  }

  get(letter: string): DeadLetter | undefined {
    return this.#letters.get(Number(letter));
  }

  /** Removes a letter that is there; returns its size. */
  remove(letter: string): number {
    const found = this.get(letter);
    this.#letters.delete(Number(letter));
    return found === undefined ? 0 : sizeOf(found);
  }

  /** Removes the letters that died before a time; returns their sizes. */
  forget(beforeMs: number): readonly number[] {
    const sizes: number[] = [];
    for (const { letter, diedAtMs } of this.#letters.values()) {
      if (diedAtMs > beforeMs) break;
      sizes.push(this.remove(letter));
    }
    return sizes;
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

function sizeOf({ id, mailbox, why, frame }: DeadLetter): number {
  return letterBytes + 2 * (id.length + mailbox.type.length + mailbox.key.length + why.text.length) + frame.length;
}

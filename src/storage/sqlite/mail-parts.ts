import type { Commit, Mail } from "../../core/internal.ts";

/** Mail of the commits of one question that goes to a thread before them. */
export interface MailPart {
  /** The number of the question. */
  readonly askId: number;
  /** The place of their commit among those of the question. */
  readonly commit: number;
  /** The messages as JSON, without their bytes. */
  readonly text: string;
  /** The bytes of the messages, one after the other. It is transferred. */
  readonly data: Uint8Array<ArrayBuffer>;
}

/** Id, type, key, kind, whether it is kept once, what becomes of it when there is no space, length. */
type PackedMail = readonly [
  string,
  string,
  string,
  Mail["kind"],
  boolean | null,
  NonNullable<Mail["whenFull"]> | null,
  number,
];

/** Messages of a part. A commit with more has several parts: all at once would take its sender too long. */
const mailOfPart = 512;

/** Mail that waits to be sent in parts. Its bytes are copied already, for a store copies what it is given at once. */
export class MailParts {
  readonly #parts: {
    readonly commit: number;
    readonly mail: readonly Mail[];
    /** Of the frames. Their owner may move their memory away before they are packed. */
    readonly lengths: readonly number[];
    readonly data: Uint8Array<ArrayBuffer>;
  }[] = [];

  /** Takes the mail of those commits that have much. */
  constructor(commits: readonly Commit[]) {
    for (const [commit, { mail: all }] of commits.entries()) {
      if (!isMuch(all)) continue;
      for (let from = 0; from < all.length; from += mailOfPart) {
        const mail = all.slice(from, from + mailOfPart);
        const lengths = mail.map(({ frame }) => frame.length);
        this.#parts.push({ commit, mail, lengths, data: joinedFrames(mail) });
      }
    }
  }

  /** Packs one part after the other. */
  *pack(askId: number): Iterable<MailPart> {
    for (const { commit, mail, lengths, data } of this.#parts) {
      const packed = mail.map(({ id, receiver, kind, isOnce, whenFull }, index): PackedMail => {
        return [id, receiver.type, receiver.key, kind, isOnce ?? null, whenFull ?? null, lengths[index] ?? 0];
      });
      yield { askId, commit, text: JSON.stringify(packed), data };
    }
  }
}

/** Whether mail goes to a thread in parts. */
export function isMuch(mail: readonly Mail[]): boolean {
  return mail.length > mailOfPart;
}

/** Mail of questions that has come before them. */
export class GatheredMail {
  readonly #byAsk = new Map<number, MailPart[]>();

  add(part: MailPart): void {
    const before = this.#byAsk.get(part.askId);
    if (before === undefined) this.#byAsk.set(part.askId, [part]);
    else before.push(part);
  }

  /** Returns the commits of a question with their mail. */
  take(askId: number, commits: readonly Commit[]): readonly Commit[] {
    const parts = this.#byAsk.get(askId);
    if (parts === undefined) return commits;
    this.#byAsk.delete(askId);
    const all = new Map<number, Mail[]>();
    for (const { commit, text, data } of parts) {
      const mail = all.get(commit) ?? [];
      all.set(commit, mail);
      let from = 0;
      // What `MailParts` has written.
      for (const packed of JSON.parse(text) as readonly PackedMail[]) {
        const [id, type, key, kind, isOnce, whenFull, length] = packed;
        const frame = data.subarray(from, from + length);
        from += length;
        const more = { isOnce: isOnce ?? undefined, whenFull: whenFull ?? undefined };
        mail.push({ id, receiver: { type, key }, kind, frame, ...more });
      }
    }
    return commits.map((commit, index) => ({ ...commit, mail: all.get(index) ?? commit.mail }));
  }
}

function joinedFrames(mail: readonly Mail[]): Uint8Array<ArrayBuffer> {
  // Memory of its own, which can be transferred. Zeros would take as long as the copy.
  const memory = Buffer.allocUnsafeSlow(mail.reduce((sum, { frame }) => sum + frame.length, 0));
  const joined = new Uint8Array(memory.buffer);
  let at = 0;
  for (const { frame } of mail) {
    joined.set(frame, at);
    at += frame.length;
  }
  return joined;
}

import { ChurnedMap } from "../../collections/churned-map.ts";
import { NumberMap } from "../../collections/number-map.ts";
import { RisingNumbers } from "../../collections/rising-numbers.ts";
import { type AgentName, textOfName } from "../agent-name.ts";
import { type MailSizes, mailSize } from "../mail-bounds.ts";
import type { Mail, MailSettlement, StoredMail } from "../state-store.ts";
import type { MailPageQuery } from "../store-log.ts";
import { sizeOfMail } from "./memory-sizes.ts";

interface Mailbox {
  readonly text: string;
  first: Kept | undefined;
  last: Kept | undefined;
  /** Without a mark of a deleted agent. */
  messages: number;
  /** As `mailSize` counts them. */
  bytes: number;
}

/** A message, between those of its mailbox. */
interface Kept {
  mail: StoredMail;
  readonly box: Mailbox;
  before: Kept | undefined;
  behind: Kept | undefined;
}

/** The mail of a store in memory. Methods that change it return how many bytes they add. */
export class MemoryMailboxes {
  /** By place. */
  readonly #mail = new NumberMap<Kept>();
  readonly #places = new RisingNumbers((place) => this.#mail.get(place) !== undefined);
  /** By the text of the receiver. */
  readonly #boxes = new ChurnedMap<string, Mailbox>();
  /** Bytes of the mail of each agent type, as `mailSize` counts them, and of all. */
  readonly #bytesOfTypes = new Map<string, number>();
  #bytes = 0;
  #lastPlace = 0;

  get size(): number {
    return this.#mail.size;
  }

  /** All mail behind a place; the oldest first. */
  *behind(place: number): Iterable<StoredMail> {
    for (const one of this.#places.above(place)) {
      const kept = this.#mail.get(one);
      if (kept !== undefined) yield kept.mail;
    }
  }

  get(place: number): StoredMail | undefined {
    return this.#mail.get(place)?.mail;
  }

  /** The sizes of a mailbox, of the mail of its type and of all. */
  sizesOf(mailbox: AgentName): MailSizes {
    const box = this.#boxes.get(textOfName(mailbox));
    return {
      messages: box?.messages ?? 0,
      mailboxBytes: box?.bytes ?? 0,
      typeBytes: this.#bytesOfTypes.get(mailbox.type) ?? 0,
      bytes: this.#bytes,
    };
  }

  keep({ id, receiver, kind, frame }: Mail, sender: AgentName, atMs: number): number {
    this.#lastPlace += 1;
    const place = this.#lastPlace;
    const mail: StoredMail = {
      id,
      kind,
      frame: new Uint8Array(frame),
      receiver: copyOf(receiver),
      sender: copyOf(sender),
      place,
      keptAtMs: atMs,
      attempts: 0,
      nextMs: atMs,
    };
    const box = this.#boxOf(textOfName(receiver));
    const kept: Kept = { mail, box, before: box.last, behind: undefined };
    if (box.last === undefined) box.first = kept;
    else box.last.behind = kept;
    box.last = kept;
    this.#mail.add(place, kept);
    this.#places.add(place);
    this.#count(box, mail, 1);
    return sizeOfMail(mail);
  }

  settle({ place, nextMs, attempts }: MailSettlement): number {
    if (nextMs === undefined) return this.remove(place);
    const kept = this.#mail.get(place);
    if (kept !== undefined) kept.mail = { ...kept.mail, nextMs, attempts };
    return 0;
  }

  remove(place: number): number {
    const kept = this.#mail.get(place);
    if (kept === undefined) return 0;
    const { mail, box, before, behind } = kept;
    this.#mail.delete(place);
    this.#places.deleted();
    if (before === undefined) box.first = behind;
    else before.behind = behind;
    if (behind === undefined) box.last = before;
    else behind.before = before;
    // One that is gone must not keep the others alive.
    kept.before = kept.behind = undefined;
    this.#count(box, mail, -1);
    if (box.first === undefined) this.#boxes.delete(box.text);
    return -sizeOfMail(mail);
  }

  removeAll(mailbox: string): number {
    const box = this.#boxes.get(mailbox);
    let added = 0;
    while (box?.first !== undefined) added += this.remove(box.first.mail.place);
    return added;
  }

  /** Reads a page of mail. */
  read({ mailbox, after, limit, maxBytes }: MailPageQuery): readonly StoredMail[] {
    const found: StoredMail[] = [];
    const box = mailbox && this.#boxes.get(textOfName(mailbox));
    let bytes = 0;
    for (const mail of mailbox === undefined ? this.behind(after) : inBox(box, after)) {
      bytes += mail.frame.length;
      if (found.length > 0 && (found.length >= limit || bytes > maxBytes)) break;
      found.push({ ...mail, frame: new Uint8Array(mail.frame) });
    }
    return found;
  }

  #boxOf(text: string): Mailbox {
    const known = this.#boxes.get(text);
    if (known !== undefined) return known;
    const box: Mailbox = { text, first: undefined, last: undefined, messages: 0, bytes: 0 };
    this.#boxes.set(text, box);
    return box;
  }

  #count(box: Mailbox, { receiver: { type }, kind, frame }: StoredMail, sign: 1 | -1): void {
    if (kind === "emptied") return;
    box.messages += sign;
    const bytes = sign * mailSize(frame.length);
    box.bytes += bytes;
    this.#bytes += bytes;
    const ofType = (this.#bytesOfTypes.get(type) ?? 0) + bytes;
    if (ofType === 0) this.#bytesOfTypes.delete(type);
    else this.#bytesOfTypes.set(type, ofType);
  }
}

function* inBox(box: Mailbox | undefined, after: number): Iterable<StoredMail> {
  for (let kept = box?.first; kept !== undefined; kept = kept.behind) if (kept.mail.place > after) yield kept.mail;
}

function copyOf({ type, key }: AgentName): AgentName {
  return { type, key };
}

import { RisingNumbers } from "../../collections/rising-numbers.ts";
import { type AgentName, textOfName } from "../agent-name.ts";
import { type MailSizes, mailSize } from "../mail-bounds.ts";
import type { Mail, MailSettlement, StoredMail } from "../state-store.ts";
import { storeLimits } from "../store-limits.ts";
import type { MailPageQuery } from "../store-log.ts";
import { mailIdName, sizeOfMail, sizeOfMailId } from "./memory-sizes.ts";

interface Mailbox {
  readonly places: Set<number>;
  /** Without a mark of a deleted agent. */
  messages: number;
  /** As `mailSize` counts them. */
  bytes: number;
}

/** The mail of a store in memory, and the ids that its mailboxes know. Methods that change them return how many bytes they add. */
export class MemoryMailboxes {
  /** By place; the oldest first. */
  readonly #mail = new Map<number, StoredMail>();
  readonly #places = new RisingNumbers((place) => this.#mail.has(place));
  /** By the text of the receiver. */
  readonly #boxes = new Map<string, Mailbox>();
  /** Bytes of the mail of each agent type, as `mailSize` counts them, and of all. */
  readonly #bytesOfTypes = new Map<string, number>();
  #bytes = 0;
  /** When the ids came that mailboxes were given, by the clock that never goes back; the oldest first. */
  readonly #ids = new Map<string, number>();
  #lastPlace = 0;

  get size(): number {
    return this.#mail.size;
  }

  all(): Iterable<StoredMail> {
    return this.#mail.values();
  }

  get(place: number): StoredMail | undefined {
    return this.#mail.get(place);
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

  knows(mailbox: string, id: string): boolean {
    return this.#ids.has(mailIdName(mailbox, id));
  }

  /** The bytes that `know` adds. */
  sizeOfId(mailbox: string, id: string): number {
    return sizeOfMailId(mailIdName(mailbox, id).length);
  }

  know(mailbox: string, id: string, nowMs: number): number {
    const name = mailIdName(mailbox, id);
    this.#ids.set(name, nowMs);
    return sizeOfMailId(name.length);
  }

  /** Forgets the ids that are too old, and the oldest of the others until they have freed so many bytes. */
  forgetIds(nowMs: number, neededBytes = 0): number {
    let added = 0;
    for (const [name, atMs] of this.#ids) {
      if (atMs > nowMs - storeLimits.mailIdMs && -added >= neededBytes) break;
      this.#ids.delete(name);
      added -= sizeOfMailId(name.length);
    }
    return added;
  }

  keep({ id, receiver, kind, frame }: Mail, sender: AgentName, atMs: number): number {
    this.#lastPlace += 1;
    const kept: StoredMail = {
      id,
      kind,
      frame: new Uint8Array(frame),
      receiver: copyOf(receiver),
      sender: copyOf(sender),
      place: this.#lastPlace,
      keptAtMs: atMs,
      attempts: 0,
      nextMs: atMs,
    };
    this.#mail.set(kept.place, kept);
    this.#places.add(kept.place);
    const mailbox = textOfName(receiver);
    const box = this.#boxes.get(mailbox) ?? { places: new Set<number>(), messages: 0, bytes: 0 };
    this.#boxes.set(mailbox, box);
    box.places.add(kept.place);
    this.#count(box, kept, 1);
    return sizeOfMail(kept);
  }

  settle({ place, nextMs, attempts }: MailSettlement): number {
    const kept = this.#mail.get(place);
    if (nextMs === undefined) return this.remove(place);
    if (kept !== undefined) this.#mail.set(place, { ...kept, nextMs, attempts });
    return 0;
  }

  remove(place: number): number {
    const mail = this.#mail.get(place);
    if (mail === undefined) return 0;
    this.#mail.delete(place);
    this.#places.deleted();
    const mailbox = textOfName(mail.receiver);
    const box = this.#boxes.get(mailbox);
    if (box !== undefined) {
      box.places.delete(place);
      this.#count(box, mail, -1);
      if (box.places.size === 0) this.#boxes.delete(mailbox);
    }
    return -sizeOfMail(mail);
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

  removeAll(mailbox: string): number {
    return [...(this.#boxes.get(mailbox)?.places ?? [])].reduce((sum, place) => sum + this.remove(place), 0);
  }

  /** Reads a page of mail. */
  read({ mailbox, after, limit, maxBytes }: MailPageQuery): readonly StoredMail[] {
    const found: StoredMail[] = [];
    const places =
      mailbox === undefined ? this.#places.above(after) : (this.#boxes.get(textOfName(mailbox))?.places ?? []);
    let bytes = 0;
    for (const place of places) {
      const mail = place > after ? this.#mail.get(place) : undefined;
      if (mail === undefined) continue;
      bytes += mail.frame.length;
      if (found.length > 0 && (found.length >= limit || bytes > maxBytes)) break;
      found.push({ ...mail, frame: new Uint8Array(mail.frame) });
    }
    return found;
  }
}

function copyOf({ type, key }: AgentName): AgentName {
  return { type, key };
}

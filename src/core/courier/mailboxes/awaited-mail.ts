import { ChurnedMap } from "../../collections/churned-map.ts";

/** Messages that were kept, or are being kept, and that the reader has not handed over yet: their ids, by mailbox. */
export class AwaitedMail {
  /** One id by itself: most mailboxes await one message, and a set for each takes twice as long. */
  #ids = new ChurnedMap<string, string | Set<string>>();

  get isEmpty(): boolean {
    return this.#ids.size === 0;
  }

  add(mailbox: string, id: string): void {
    const known = this.#ids.get(mailbox);
    if (known === undefined) this.#ids.set(mailbox, id);
    else if (typeof known !== "string") known.add(id);
    else if (known !== id) this.#ids.set(mailbox, new Set([known, id]));
  }

  delete(mailbox: string, id: string): void {
    const known = this.#ids.get(mailbox);
    const isLast = known === id || (typeof known === "object" && known.delete(id) && known.size === 0);
    if (isLast) this.#ids.delete(mailbox);
  }

  /** Forgets those of a mailbox, whatever others have. */
  deleteAll(mailbox: string): void {
    this.#ids.delete(mailbox);
  }

  clear(): void {
    this.#ids = new ChurnedMap();
  }
}

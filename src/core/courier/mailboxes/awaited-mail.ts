/** Messages that were kept, or are being kept, and that the reader has not handed over yet: their ids, by mailbox. */
export class AwaitedMail {
  readonly #ids = new Map<string, Set<string>>();

  get isEmpty(): boolean {
    return this.#ids.size === 0;
  }

  add(mailbox: string, id: string): void {
    const ids = this.#ids.get(mailbox);
    if (ids === undefined) this.#ids.set(mailbox, new Set([id]));
    else ids.add(id);
  }

  delete(mailbox: string, id: string): void {
    const ids = this.#ids.get(mailbox);
    if (ids?.delete(id) === true && ids.size === 0) this.#ids.delete(mailbox);
  }

  /** Forgets those of a mailbox, whatever others have. */
  deleteAll(mailbox: string): void {
    this.#ids.delete(mailbox);
  }

  clear(): void {
    this.#ids.clear();
  }
}

/** Bytes of answers, of all clients together, that wait for their clients to take them. */
const mostUnreadBytes = 64 * 1024 * 1024;

interface Unread {
  readonly bytes: number;
  readonly end: () => void;
}

/** Answers that the clients of one address have not taken, the oldest first. */
interface Party {
  readonly waiting: Set<Unread>;
  bytes: number;
}

/**
 * Bounds what waits for clients that take nothing. Beyond the bound the address with most loses the connection that has waited longest. An answer that
 * waits alone may be larger than the bound.
 */
export class UnreadAnswers {
  readonly #maxBytes: number;
  readonly #parties = new Map<string, Party>();
  #bytes = 0;
  #count = 0;

  constructor(maxBytes = mostUnreadBytes) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes that wait now. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Counts bytes that wait, and returns the function that counts them no more. `end` must close the connection. */
  add(name: string, bytes: number, end: () => void): () => void {
    const party = this.#parties.get(name) ?? { waiting: new Set(), bytes: 0 };
    this.#parties.set(name, party);
    const unread = { bytes, end };
    party.waiting.add(unread);
    party.bytes += bytes;
    this.#bytes += bytes;
    this.#count += 1;
    while (this.#bytes > this.#maxBytes && this.#count > 1) this.#endOne();
    return () => this.#remove(name, unread);
  }

  #endOne(): void {
    let [most, name]: [Party | undefined, string] = [undefined, ""];
    for (const [other, party] of this.#parties) if (party.bytes > (most?.bytes ?? -1)) [most, name] = [party, other];
    for (const unread of most?.waiting ?? []) {
      this.#remove(name, unread);
      unread.end();
      return;
    }
  }

  #remove(name: string, unread: Unread): void {
    const party = this.#parties.get(name);
    if (party?.waiting.delete(unread) !== true) return;
    party.bytes -= unread.bytes;
    this.#bytes -= unread.bytes;
    this.#count -= 1;
    if (party.waiting.size === 0) this.#parties.delete(name);
  }
}

/** A control message that the host may not have read. */
export interface UnreadEnvelope {
  readonly bytes: Uint8Array;
  /** The id of a request. Undefined: it is an answer. */
  readonly requestId: string | undefined;
}

/** Keeps control messages that were sent before the first sign of the host, within a bound. They are sent again if the host took no stream. */
export class UnreadEnvelopes {
  readonly #maxBytes: number;
  #all: UnreadEnvelope[] = [];
  #bytes = 0;
  /** Ids of requests that were sent, and that found no space here. */
  readonly #unkept: string[] = [];

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Returns false for one beyond the bound, which is not kept. The bound does not hold for the first one. */
  keep(envelope: UnreadEnvelope): boolean {
    const bytes = this.#bytes + envelope.bytes.length;
    if (this.#all.length > 0 && bytes > this.#maxBytes) return false;
    this.#all.push(envelope);
    this.#bytes = bytes;
    return true;
  }

  /** Notes a request that was sent and not kept. It can't be sent again. */
  noteUnkept({ requestId }: UnreadEnvelope): void {
    if (requestId !== undefined) this.#unkept.push(requestId);
  }

  /** Returns the ids of the requests that were sent and not kept, and forgets them. */
  takeUnkept(): readonly string[] {
    return this.#unkept.splice(0);
  }

  /** Returns those that were kept, in their order, and keeps them no longer. */
  take(): readonly UnreadEnvelope[] {
    const all = this.#all;
    this.#all = [];
    this.#bytes = 0;
    return all;
  }
}

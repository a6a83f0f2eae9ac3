/** Requests that may be without an answer at once. A stream's queue at the server is bounded, and loses what finds it full. */
const mostRequests = 4_096;
/** Bytes of the requests that wait for a slot. */
const mostWaitingBytes = 16 * 1024 * 1024;
/** Bytes that a request takes beside its payload, as a guess from above. */
const requestBytes = 500;

interface Waiting {
  readonly begin: () => void;
  readonly bytes: number;
}

/** Bounds the requests under way. Others wait for a slot, first come, first served. */
export class RequestSlots {
  readonly #waiting: Waiting[] = [];
  #next = 0;
  #used = 0;
  #waitingBytes = 0;

  /** Runs a request when there is a slot. Resolves to undefined, without running it, if too much waits. */
  run<T>(bytes: number, request: () => Promise<T>): Promise<T | undefined> {
    if (this.#used < mostRequests) return this.#run(request);
    const size = bytes + requestBytes;
    if (this.#waitingBytes + size > mostWaitingBytes) return Promise.resolve(undefined);
    this.#waitingBytes += size;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ bytes: size, begin: () => this.#run(request).then(resolve, reject) });
    });
  }

  async #run<T>(request: () => Promise<T>): Promise<T> {
    this.#used += 1;
    try {
      return await request();
    } finally {
      this.#used -= 1;
      this.#beginNext();
    }
  }

  #beginNext(): void {
    const next = this.#waiting[this.#next];
    if (next === undefined) return;
    this.#next += 1;
    if (this.#next >= 1_024 || this.#next === this.#waiting.length) {
      this.#waiting.splice(0, this.#next);
      this.#next = 0;
    }
    this.#waitingBytes -= next.bytes;
    next.begin();
  }
}

import { HttpProblem } from "../http/internal.ts";
import { FairShare } from "../transport/accounting/internal.ts";

/**
 * Counts the bytes of all bodies that are under way, and shares them between principals. A principal may hold twice as many as are free, so that it
 * keeps no other one out.
 */
export class BodyBytes {
  readonly #share: FairShare;

  constructor(maxBytes: number) {
    this.#share = new FairShare(maxBytes);
  }

  /** Counts the body of one request. */
  open(principal: string): HeldBody {
    return new HeldBody(this.#share, principal);
  }
}

/** The bytes that the body of a request holds, and the message that was made of it. */
export class HeldBody {
  readonly #share: FairShare;
  readonly #principal: string;
  #bytes = 0;
  #isStreamed = false;

  constructor(share: FairShare, principal: string) {
    this.#share = share;
    this.#principal = principal;
  }

  /** Takes bytes before they are kept. Throws the problem that refuses them. */
  take(bytes: number): void {
    if (!this.#share.mayAdd(this.#principal, bytes)) throw noRoom();
    this.#share.add(this.#principal, bytes);
    this.#bytes += bytes;
  }

  /** The handler of the request has ended: the bytes are free, unless a stream continues with the message. */
  answered(): void {
    if (!this.#isStreamed) this.#free();
  }

  /** A stream continues with the message. Returns the function that frees the bytes. */
  stream(): () => void {
    this.#isStreamed = true;
    return () => this.#free();
  }

  #free(): void {
    if (this.#bytes > 0) this.#share.remove(this.#principal, this.#bytes);
    this.#bytes = 0;
  }
}

function noRoom(): HttpProblem {
  const detail = "The bodies of the requests that are under way leave no space for this one. Try again later.";
  return new HttpProblem(503, "overloaded", detail, { closes: true, headers: { "retry-after": "1" } });
}

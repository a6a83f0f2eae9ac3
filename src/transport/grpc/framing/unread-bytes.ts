import type { Http2Stream } from "node:http2";
import type { MemoryAccount } from "../../accounting/memory-account.ts";

/**
 * Counts what Node buffers for a stream that this side does not read: up to a flow-control window. Node does not tell. A wait for
 * the connection's turn is counted when it begins. For a longer one `push`, by which Node hands over each chunk, is wrapped from the first on.
 */
export class UnreadBytes {
  readonly #http2: Http2Stream;
  readonly #account: MemoryAccount;
  readonly #onNoRoom: () => void;
  #held = 0;
  #isHalted = false;
  #isWrapped = false;

  /** `onNoRoom`: the account takes no more, and the bytes come all the same. Called once. */
  constructor(http2: Http2Stream, account: MemoryAccount, onNoRoom: () => void) {
    this.#http2 = http2;
    this.#account = account;
    this.#onNoRoom = onNoRoom;
  }

  /** The stream is not read until a later turn; `restBytes` of its last chunk are left. They are here, so nothing is refused. */
  halt(restBytes: number): void {
    const more = this.#http2.readableLength + restBytes - this.#held;
    this.#account.add(more);
    this.#held += more;
  }

  /** The stream is not read until the receiver wants it; `restBytes` of its last chunk are left. */
  pause(restBytes: number): void {
    if (!this.#isWrapped) this.#wrap();
    this.#isHalted = true;
    this.#take(Math.max(0, this.#http2.readableLength + restBytes - this.#held));
  }

  /** The stream is read again, or has ended. */
  release(): void {
    this.#isHalted = false;
    this.#account.release(this.#held);
    this.#held = 0;
  }

  #wrap(): void {
    this.#isWrapped = true;
    const push = this.#http2.push;
    this.#http2.push = (chunk: Uint8Array | null, encoding?: BufferEncoding) => {
      if (this.#isHalted && chunk !== null) this.#take(chunk.byteLength);
      return push.call(this.#http2, chunk, encoding);
    };
  }

  #take(bytes: number): void {
    if (this.#account.take(bytes)) this.#held += bytes;
    else {
      this.release();
      this.#onNoRoom();
    }
  }
}

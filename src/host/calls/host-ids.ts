import { Buffer } from "node:buffer";
import type { PeekedResponse } from "../../protocol/internal.ts";

const [zero, nine] = [0x30, 0x39];
/** More digits than any number of calls has. */
const mostDigits = 15;

/**
 * Makes the request ids under which calls go to their targets: a mark of this host and a number. An answer to a call of an earlier
 * host must not match, hence the mark. The ids stay bytes and numbers: making text of them took half a microsecond for each call.
 */
export class HostIds {
  readonly #mark: Uint8Array;
  readonly #markText: string;
  /** One buffer for each number of digits, used again for each id. */
  readonly #written: Uint8Array[] = [];

  constructor(mark: string) {
    this.#markText = `${mark}-`;
    this.#mark = Buffer.from(this.#markText, "latin1");
  }

  textOf(id: number): string {
    return Buffer.from(this.bytesOf(id)).toString("latin1");
  }

  /** Valid until the next call. */
  bytesOf(id: number): Uint8Array {
    const digits = digitsOf(id);
    let bytes = this.#written[digits];
    if (bytes === undefined) {
      bytes = new Uint8Array(this.#mark.length + digits);
      bytes.set(this.#mark);
      this.#written[digits] = bytes;
    }
    let rest = id;
    for (let at = bytes.length - 1; at >= this.#mark.length; at -= 1) {
      const tens = Math.floor(rest / 10);
      bytes[at] = zero + rest - 10 * tens;
      rest = tens;
    }
    return bytes;
  }

  /** Reads the number in an id as text; -1 if the id is not this host's. The bytes of another id stay valid. */
  numberInText(text: string): number {
    const start = this.#markText.length;
    if (!text.startsWith(this.#markText) || text.length > start + mostDigits) return -1;
    const digits = text.slice(start);
    return /^[1-9]\d*$/.test(digits) ? Number(digits) : -1;
  }

  /** Reads the number in the request id of a response or a chunk; -1 if the id is not this host's. */
  numberIn({ bytes, requestId }: Pick<PeekedResponse, "bytes" | "requestId">): number {
    const mark = this.#mark;
    const { textStart, end } = requestId;
    const start = textStart + mark.length;
    if (requestId.count === 0 || start >= end || end - start > mostDigits) return -1;
    for (let at = 0; at < mark.length; at += 1) if (bytes[textStart + at] !== mark[at]) return -1;
    if (bytes[start] === zero) return -1;
    let id = 0;
    for (let at = start; at < end; at += 1) {
      const digit = bytes[at] ?? 0;
      if (digit < zero || digit > nine) return -1;
      id = 10 * id + digit - zero;
    }
    return id;
  }
}

function digitsOf(id: number): number {
  let digits = 1;
  for (let rest = id; rest >= 10; rest /= 10) digits += 1;
  return digits;
}

/** Cuts a stream of frames behind their lengths into frames; a length's four bytes are the last of the prefix. */
export class PrefixedReader {
  readonly #prefixBytes: number;
  readonly #onFrame: (frame: Buffer) => void;
  #rest: Buffer = Buffer.alloc(0);

  constructor(prefixBytes: number, onFrame: (frame: Buffer) => void) {
    this.#prefixBytes = prefixBytes;
    this.#onFrame = onFrame;
  }

  push(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    while (bytes.length - at >= this.#prefixBytes) {
      const start = at + this.#prefixBytes;
      const end = start + bytes.readUInt32BE(start - 4);
      if (end > bytes.length) break;
      this.#onFrame(bytes.subarray(start, end));
      at = end;
    }
    this.#rest = bytes.subarray(at);
  }
}

type NumberArray = Int32Array | Uint16Array | Uint32Array | Float64Array;

const chunkBits = 16;
const chunkSize = 1 << chunkBits;
const inChunk = chunkSize - 1;

/** A column of numbers that grows by chunks of 65,536, so that growing copies nothing. */
export class ChunkedColumn {
  readonly #chunks: NumberArray[] = [];
  readonly #createChunk: (length: number) => NumberArray;

  constructor(createChunk: (length: number) => NumberArray) {
    this.#createChunk = createChunk;
  }

  get(at: number): number {
    return this.#chunks[at >>> chunkBits]?.[at & inChunk] ?? 0;
  }

  set(at: number, value: number): void {
    const index = at >>> chunkBits;
    let chunk = this.#chunks[index];
    if (chunk === undefined) {
      chunk = this.#createChunk(chunkSize);
      this.#chunks[index] = chunk;
    }
    chunk[at & inChunk] = value;
  }

  /** Bytes of all chunks. */
  get byteLength(): number {
    return this.#chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0);
  }

  clear(): void {
    this.#chunks.length = 0;
  }
}

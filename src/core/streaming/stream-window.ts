/** Bytes that a chunk counts beside its payload. */
export const chunkOverheadBytes = 64;
/** Bytes that a chunk counts where nothing is encoded. */
export const unencodedChunkBytes = 256;

export const defaultWindowBytes = 64 * 1024;
export const smallestWindowBytes = 1024;
export const largestWindowBytes = 1024 * 1024;

/**
 * The bytes of chunks that the reader of a stream has granted, and those that were sent. Both count from the beginning of the call, so that a
 * grant may come twice. The last chunk may exceed the grant.
 */
export class StreamWindow {
  #grantedBytes: number;
  #sentBytes = 0;
  #open: (() => void) | undefined;

  constructor(grantedBytes: number) {
    this.#grantedBytes = grantedBytes;
  }

  get sentBytes(): number {
    return this.#sentBytes;
  }

  /** Counts a chunk that was sent. Returns a promise if no further one may follow before it resolves. */
  spend(bytes: number): Promise<void> | undefined {
    this.#sentBytes += bytes;
    if (this.#sentBytes < this.#grantedBytes) return undefined;
    return new Promise((resolve) => {
      this.#open = resolve;
    });
  }

  /** Takes what the reader has granted since the call began. A smaller number than before does nothing. */
  grant(totalBytes: number): void {
    if (totalBytes <= this.#grantedBytes) return;
    this.#grantedBytes = totalBytes;
    if (this.#sentBytes >= totalBytes) return;
    this.#open?.();
    this.#open = undefined;
  }
}

/** A buffer that messages are copied to, with its reference count. */
export interface PooledBuffer {
  readonly bytes: Buffer;
  /** Number of users: the writer that copies into it, and each chunk that is not written yet. */
  uses: number;
}

/** Only buffers of this size are pooled. Quiet streams use smaller ones. */
const POOLED_BUFFER_BYTES = 64 * 1024;

/** Maximum number of idle buffers: 2 MiB together. */
const MAX_IDLE_BUFFERS = 32;

const idle: PooledBuffer[] = [];

/** Empty placeholder; it never enters the pool. */
export const NO_BUFFER: PooledBuffer = { bytes: Buffer.alloc(0), uses: Number.POSITIVE_INFINITY };

/** Returns a buffer of at least `bytes` bytes, with one use. Its contents are undefined. */
export function takeBuffer(bytes: number): PooledBuffer {
  const buffer = bytes === POOLED_BUFFER_BYTES ? idle.pop() : undefined;
  if (buffer === undefined) return { bytes: Buffer.allocUnsafe(bytes), uses: 1 };
  buffer.uses = 1;
  return buffer;
}

/**
 * Removes one use; the last one returns the buffer to the pool. A busy stream then reuses the same few buffers, which
 * halves the collector's work. A buffer that is never released, because its stream broke, is left to the collector.
 */
export function releaseBuffer(buffer: PooledBuffer): void {
  buffer.uses -= 1;
  if (buffer.uses === 0 && buffer.bytes.length === POOLED_BUFFER_BYTES && idle.length < MAX_IDLE_BUFFERS)
    idle.push(buffer);
}

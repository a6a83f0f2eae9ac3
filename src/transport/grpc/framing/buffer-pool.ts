/** Memory that messages are copied to. */
export interface PooledBuffer {
  readonly bytes: Buffer;
  /** Who still needs what stands there: the one who copies, and each piece that is not written yet. */
  uses: number;
}

/** Runs of this size are used again; shorter ones belong to streams that have little to say. */
const POOLED_BUFFER_BYTES = 64 * 1024;

/** So many wait to be used again at most: 2 MiB. */
const MAX_IDLE_BUFFERS = 32;

const idle: PooledBuffer[] = [];

/** Has room for nothing, and is never used again. */
export const NO_BUFFER: PooledBuffer = { bytes: Buffer.alloc(0), uses: Number.POSITIVE_INFINITY };

/** A run of at least so many bytes, with one use. What stands in it is of no meaning. */
export function takeBuffer(bytes: number): PooledBuffer {
  const buffer = bytes === POOLED_BUFFER_BYTES ? idle.pop() : undefined;
  if (buffer === undefined) return { bytes: Buffer.allocUnsafe(bytes), uses: 1 };
  buffer.uses = 1;
  return buffer;
}

/**
 * One use less. The last one gives the run back: a busy stream then copies to the same few runs, and the collector has half as
 * much to look after. A run that is never released, because its stream broke off, is the collector's as ever.
 */
export function releaseBuffer(buffer: PooledBuffer): void {
  buffer.uses -= 1;
  if (buffer.uses === 0 && buffer.bytes.length === POOLED_BUFFER_BYTES && idle.length < MAX_IDLE_BUFFERS)
    idle.push(buffer);
}

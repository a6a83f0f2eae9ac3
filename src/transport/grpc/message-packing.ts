/** Bytes before every message: one for the compression flag, four for the length (big endian). */
export const PREFIX_BYTES = 5;

/** Messages up to this size are copied together; longer ones travel by reference, with only their prefix copied. */
export const COPY_UP_TO_BYTES = 16 * 1024;

/** Copied runs are cut at this size, so that a long queue never asks for one huge allocation. */
const RUN_BYTES = 256 * 1024;

/**
 * Lays messages out as length-prefixed frames in as few buffers as is sensible, in their order. Buffers of long messages
 * are the callers' own memory: they must not change until they are written.
 */
export function packMessages(messages: readonly Uint8Array[]): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  let run: Uint8Array[] = [];
  let runBytes = 0;
  for (const message of messages) {
    const isLong = message.byteLength > COPY_UP_TO_BYTES;
    run.push(message);
    runBytes += isLong ? PREFIX_BYTES : PREFIX_BYTES + message.byteLength;
    if (!isLong && runBytes < RUN_BYTES) continue;
    chunks.push(packRun(run, runBytes));
    if (isLong) chunks.push(message);
    run = [];
    runBytes = 0;
  }
  if (run.length > 0) chunks.push(packRun(run, runBytes));
  return chunks;
}

/** Prefixes and short bodies in one buffer; of a long message only the prefix, for its body follows by reference. */
function packRun(messages: readonly Uint8Array[], bytes: number): Uint8Array {
  const run = Buffer.allocUnsafe(bytes);
  let offset = 0;
  for (const message of messages) {
    const length = message.byteLength;
    run[offset] = 0;
    run[offset + 1] = length >>> 24;
    run[offset + 2] = (length >>> 16) & 0xff;
    run[offset + 3] = (length >>> 8) & 0xff;
    run[offset + 4] = length & 0xff;
    offset += PREFIX_BYTES;
    if (length > COPY_UP_TO_BYTES) continue;
    run.set(message, offset);
    offset += length;
  }
  return run;
}

/**
 * Does something once what is being read has been read. Whatever resets a stream or ends a session goes through here.
 *
 * Node calls back in the middle of nghttp2's reading, ticks and promises included, and sends what waits before it sends a reset.
 * While nghttp2 is closing another stream of the connection that has data under way, this writes to freed memory, or the same frame
 * again and again until no memory is left (seen on Node 20.20).
 */
export function afterRead(act: () => void): void {
  setImmediate(act);
}

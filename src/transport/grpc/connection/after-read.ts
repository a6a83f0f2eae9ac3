import { setImmediate } from "../../real-time.ts";

/**
 * Runs `act` after the current read. Every reset of a stream and every end of a session must go through here.
 *
 * Node calls back, ticks and promises included, while nghttp2 still reads, and sends waiting data before it sends a
 * reset. A reset in that moment is dangerous if nghttp2 is closing another stream with pending data. It then writes to
 * freed memory, or writes the same frame until memory is exhausted (seen on Node 20.20).
 */
export function afterRead(act: () => void): void {
  setImmediate(act);
}

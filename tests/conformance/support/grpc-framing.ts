import type { Readable } from "node:stream";
import { Inbox } from "../../support/inbox.ts";

/** A message behind its five bytes: no compression, then its length (the test's own framing, not the library's). */
export function framed(message: Uint8Array): Buffer {
  const frame = Buffer.alloc(5 + message.length);
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, 5);
  return frame;
}

/** The messages that arrive on a stream, uncompressed, in order. */
export function messagesOf(stream: Readable): Inbox<Uint8Array> {
  const inbox = new Inbox<Uint8Array>();
  let pending = Buffer.alloc(0);
  stream.on("data", (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk]);
    while (pending.length >= 5 && pending.length >= 5 + pending.readUInt32BE(1)) {
      const end = 5 + pending.readUInt32BE(1);
      if (pending[0] !== 0) throw new Error("a message came compressed");
      inbox.put(Uint8Array.from(pending.subarray(5, end)));
      pending = pending.subarray(end);
    }
  });
  return inbox;
}

import { type AddressInfo, createServer, type Socket } from "node:net";
import { expect, test } from "vitest";
import { grpcDialer, type StreamReceiver } from "../../../src/transport/index.ts";
import { Inbox } from "../../support/inbox.ts";

const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const headersType = 1;
const settingsType = 4;
const emptySettings = Buffer.from([0, 0, 0, settingsType, 0, 0, 0, 0, 0]);

const deaf: StreamReceiver = {
  onFrame: () => {},
  onHalfClose: () => {},
  onBadFrame: () => {},
  onDrain: () => {},
  onEnd: () => {},
};

/** Says which frames of HTTP/2 a client sends that matter here: `open` for a new stream, `settled` for the answer to our settings. */
function readFrames(socket: Socket, onFrame: (frame: "open" | "settled") => void): void {
  let bytes = Buffer.alloc(0);
  let at = preface.length;
  socket.on("data", (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]);
    while (bytes.length >= at + 9 && bytes.length >= at + 9 + bytes.readUIntBE(at, 3)) {
      const [type, flags] = [bytes[at + 3], bytes[at + 4]];
      if (type === headersType) onFrame("open");
      if (type === settingsType && flags === 1) onFrame("settled");
      at += 9 + bytes.readUIntBE(at, 3);
    }
  });
}

test.each([
  [1, ["open", "settled", "open"]],
  [2, ["open", "open", "settled"]],
])(
  "until a server has announced its limit, a client opens %d streams at most (peerMaxConcurrentStreams)",
  async (peerMaxConcurrentStreams, order) => {
    const frames = new Inbox<string>();
    const server = createServer((socket) => {
      let isSettled = false;
      socket.on("error", () => undefined);
      readFrames(socket, (frame) => {
        frames.put(frame);
        // The settings, which announce no limit, go out when the first streams have come.
        if (!isSettled) setImmediate(() => socket.write(emptySettings));
        isSettled = true;
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    // A server that listens on a TCP port has an address of this kind.
    const { port } = server.address() as AddressInfo;
    const link = grpcDialer({ peerMaxConcurrentStreams }).dial(`127.0.0.1:${port}`);
    for (const _stream of [1, 2]) link.openStream("OpenChannel", deaf);
    expect(await frames.takeMany(3)).toEqual(order);
    await link.close();
    await new Promise((resolve) => server.close(resolve));
  },
);

// A client writes to one call and holds another on the same connection; the server resets the first in the middle, and the client gives
// up the second as soon as it hears of it. Writes the number of rounds when it is through: `reset-while-writing ROUNDS`.
import { constants, createServer, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { grpcDialer, type StreamReceiver } from "troupe/transport";

const rounds = Number(process.argv[2]);
const frame = new Uint8Array(100);
const deaf: StreamReceiver = {
  onFrame: () => {},
  onHalfClose: () => {},
  onBadFrame: () => {},
  onDrain: () => {},
  onEnd: () => {},
};

const server = createServer();
server.on("stream", (stream: ServerHttp2Stream, headers) => {
  stream.on("error", () => {});
  stream.respond({ ":status": 200, "content-type": "application/grpc" });
  if (headers[":path"]?.endsWith("/OpenControlChannel")) return;
  stream.resume();
  setTimeout(() => stream.close(constants.NGHTTP2_CANCEL), Math.random() * 10);
});
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
// A server that listens on a TCP port has an address of this kind.
const { port } = server.address() as AddressInfo;

for (let round = 0; round < rounds; round += 1) {
  const link = grpcDialer().dial(`127.0.0.1:${port}`);
  await link.ready();
  await new Promise<void>((resolve) => {
    const held = link.openStream("OpenControlChannel", deaf);
    const written = link.openStream("OpenChannel", {
      ...deaf,
      onEnd: () => {
        held.cancel();
        resolve();
      },
    });
    // Written in the loop's timer phase, so that what is written waits to be sent when the reset is read.
    const write = (): void => {
      if (written.send(frame)) setTimeout(write, 0);
    };
    write();
  });
  await link.close();
}
server.close();
console.log(`rounds ${rounds}`);
process.exit(0);

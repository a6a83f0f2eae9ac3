import { once } from "node:events";
import { connect, type Socket } from "node:net";

/** A plain socket to a server of HTTP: a test writes the bytes itself. */
export class RawHttp {
  readonly socket: Socket;
  /** Resolves when the connection has ended, whoever ended it. */
  readonly closed: Promise<void>;
  #text = "";
  #wake: () => void = () => {};

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding("latin1");
    socket.on("data", (text: string) => {
      this.#text += text;
      this.#wake();
    });
    socket.on("error", () => undefined);
    this.closed = new Promise((resolve) => {
      socket.once("close", () => {
        this.#wake();
        resolve();
      });
    });
  }

  static async connect(port: number, host = "127.0.0.1"): Promise<RawHttp> {
    const socket = connect({ host, port });
    const raw = new RawHttp(socket);
    await once(socket, "connect");
    return raw;
  }

  send(text: string): this {
    this.socket.write(text, "latin1");
    return this;
  }

  /** All that came so far. */
  get text(): string {
    return this.#text;
  }

  /** The answer that came, when the connection has ended. */
  async toEnd(): Promise<string> {
    await this.closed;
    return this.#text;
  }

  /** Resolves when this has come; rejects when the connection ends without it. */
  async until(pattern: RegExp): Promise<string> {
    while (!pattern.test(this.#text)) {
      if (this.socket.destroyed) throw new Error(`the connection ended without ${pattern}: ${this.#text}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#text;
  }

  end(): void {
    this.socket.destroy();
  }
}

export interface RequestParts {
  readonly method?: string;
  readonly target?: string;
  /** Null: the request shows none. */
  readonly token?: string | null;
  readonly headers?: readonly string[];
  readonly body?: string;
}

/** The bytes of one request. */
export function requestText({ method = "GET", target = "/", token = null, headers = [], body }: RequestParts): string {
  const lines = [`${method} ${target} HTTP/1.1`, "Host: localhost", ...headers];
  if (token !== null) lines.push(`Authorization: Bearer ${token}`);
  if (body !== undefined) lines.push(`Content-Length: ${body.length}`);
  return `${lines.join("\r\n")}\r\n\r\n${body ?? ""}`;
}

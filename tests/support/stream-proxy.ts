import {
  type ClientHttp2Stream,
  connect,
  constants,
  createServer,
  type Http2Server,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { AddressInfo } from "node:net";
import { Gate } from "./gate.ts";
import { Inbox } from "./inbox.ts";

/** An HTTP/2 proxy: it ends connections itself, answers their pings, and carries each stream alone. */
export class StreamProxy implements AsyncDisposable {
  /** The path of each stream that a client has opened. */
  readonly opened = new Inbox<string>();
  readonly #server: Http2Server;
  readonly #sessions = new Set<ServerHttp2Session>();
  readonly #streams = new Set<{ readonly path: string; readonly near: ServerHttp2Stream }>();
  #address = "";

  constructor(target: string) {
    this.#server = createServer();
    this.#server.on("session", (session) => {
      this.#sessions.add(session);
      const far = connect(`http://${target}`);
      session.on("error", () => undefined);
      session.once("close", () => {
        this.#sessions.delete(session);
        far.destroy();
      });
      far.on("error", () => undefined);
      far.once("close", () => session.destroy());
      session.on("stream", (near, headers) => {
        const { path, onward } = forwarded(headers);
        this.#carry(path, near, far.request(onward));
      });
    });
  }

  async listen(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    // A TCP server has an address of this kind.
    const { port } = this.#server.address() as AddressInfo;
    this.#address = `127.0.0.1:${port}`;
    return this;
  }

  get address(): string {
    return this.#address;
  }

  /** Resets all open streams of this path, towards both ends. */
  cut(path: string): void {
    for (const stream of this.#streams) if (stream.path === path) stream.near.close(constants.NGHTTP2_INTERNAL_ERROR);
  }

  #carry(path: string, near: ServerHttp2Stream, far: ClientHttp2Stream): void {
    const entry = { path, near };
    this.#streams.add(entry);
    this.opened.put(path);
    const trailers = new Gate<Record<string, string>>();
    far.on("trailers", (headers) => trailers.open(forwarded(headers).onward));
    far.on("response", (headers, flags) => {
      if (near.destroyed) return;
      const isWhole = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
      near.respond(forwarded(headers).onward, isWhole ? { endStream: true } : { waitForTrailers: true });
    });
    near.on("wantTrailers", async () => {
      const last = await trailers.opened;
      if (!near.destroyed) near.sendTrailers(last);
    });
    far.on("data", (bytes) => near.write(bytes));
    near.on("data", (bytes) => far.write(bytes));
    near.on("end", () => far.end());
    far.on("end", () => near.end());
    near.on("error", () => undefined);
    far.on("error", () => undefined);
    near.once("close", () => {
      this.#streams.delete(entry);
      far.close(near.rstCode);
    });
    far.once("close", () => {
      if (far.rstCode !== constants.NGHTTP2_NO_ERROR) near.close(far.rstCode);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const session of this.#sessions) session.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

/** The headers without what Node adds as symbols. */
function forwarded(headers: object) {
  const onward = Object.fromEntries(Object.entries(headers)) as Record<string, string>;
  return { path: onward[":path"] ?? "", onward };
}

import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer, Server as TlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { type Clock, LimitedLog, type Logger, TroupeError } from "../core/internal.ts";
import { ConnectionTable } from "./connection-table.ts";
import { answer } from "./exchange.ts";
import type { HttpAdmission, HttpCaller } from "./http-admission.ts";
import { httpLimits } from "./http-limits.ts";
import { type HttpRoute, type PublicFiles, type RequestAccount, RouteTable } from "./http-route.ts";

export interface HttpServerOptions {
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  readonly admission: HttpAdmission;
  /** Undefined: plain HTTP. */
  readonly tls?: HttpTls | undefined;
  readonly routes: readonly HttpRoute[];
  /** Default: none. */
  readonly files?: PublicFiles | undefined;
  /** `from`: the address of the client. Undefined: its connection has ended. */
  readonly openAccount: (giveWay: () => void, from: string | undefined) => RequestAccount;
  readonly clock: Clock;
  readonly logger: Logger | undefined;
}

/** The certificate of a server and its key; `ca` with `requestCert`: clients must show a certificate of this authority. */
export interface HttpTls {
  readonly cert: string | Uint8Array;
  readonly key: string | Uint8Array;
  readonly ca?: string | Uint8Array | undefined;
  readonly requestCert?: boolean | undefined;
}

const noLog: Logger = { debug() {}, info() {}, warn() {}, error() {} };

/**
 * Serves JSON over HTTP to clients that show who they are. Connections, headers, bodies and answers are bounded in bytes and in time. No
 * client makes it throw; `close` waits for no client and no handler longer than its grace.
 */
export class HttpServer {
  readonly #server: Server;
  readonly #connections = new ConnectionTable();
  readonly #ending = new AbortController();
  readonly #busy = new Map<Socket, Promise<void>>();
  readonly #log: LimitedLog;
  #closing: Promise<void> | undefined;

  private constructor({
    admission,
    tls,
    routes,
    files = new Map(),
    openAccount,
    clock,
    logger = noLog,
  }: HttpServerOptions) {
    this.#log = new LimitedLog(logger, clock);
    const parts = {
      ...{ log: this.#log, clock, openAccount, ending: this.#ending.signal },
      ...{ routes: new RouteTable(routes), files, admission },
    };
    const bounds = {
      maxHeaderSize: httpLimits.headerBytes,
      headersTimeout: httpLimits.headersMs,
      requestTimeout: httpLimits.requestMs,
      keepAliveTimeout: httpLimits.quietMs,
      connectionsCheckingInterval: httpLimits.lookEveryMs,
    };
    const onRequest = (request: IncomingMessage, response: ServerResponse): void =>
      this.#serve(request, () =>
        answer(request, response, { ...parts, onKnown: (caller) => this.#know(request.socket, caller) }),
      );
    this.#server =
      tls === undefined
        ? createServer(bounds, onRequest)
        : createTlsServer({ ...bounds, ...tlsOptions(tls), handshakeTimeout: httpLimits.headersMs }, onRequest);
    this.#server.on("connection", (socket: Socket) => this.#connections.add(socket));
    this.#server.on("tlsClientError", (_error, socket: Socket) => socket.destroy());
    this.#server.on("clientError", (error, socket) => refuse(error, socket));
  }

  /** Listens. Rejects with the error of the system, such as `EADDRINUSE`. */
  static async open(options: HttpServerOptions): Promise<HttpServer> {
    const server = new HttpServer(options);
    server.#server.listen({ host: options.host, port: options.port });
    // It rejects when `error` comes first.
    await once(server.#server, "listening");
    // From now on it has no other reader.
    server.#server.on("error", (error) => server.#log.error("the HTTP server has failed", { error }));
    return server;
  }

  /** The real address, with the real port. */
  get address(): { readonly host: string; readonly port: number } {
    // A server on a port has this form of address.
    const { address: host, port } = this.#server.address() as AddressInfo;
    return { host, port };
  }

  get connections(): number {
    return this.#connections.size;
  }

  /** New connections get another certificate. Throws for one that can't be used, and for a server without TLS. */
  reloadTls(tls: HttpTls): void {
    if (!(this.#server instanceof TlsServer)) throw new TypeError("This server has no TLS.");
    this.#server.setSecureContext(tlsOptions(tls));
    // A session of an authority that was taken away must not go on.
    this.#server.setTicketKeys(randomBytes(48));
  }

  /** Takes no more connections, aborts what is under way, and ends all connections within `graceMs`. You may call it twice. */
  close(graceMs: number): Promise<void> {
    this.#closing ??= this.#close(graceMs);
    return this.#closing;
  }

  async #close(graceMs: number): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    this.#ending.abort(new TroupeError("shutting-down", "The host is stopping."));
    let timer: NodeJS.Timeout | undefined;
    const graceOver = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, graceMs);
    });
    // A handler may wait for what never comes, such as a store that hangs.
    await Promise.race([Promise.all(this.#busy.values()), graceOver]);
    clearTimeout(timer);
    this.#connections.destroyAll();
    await closed;
    this.#log.flush();
  }

  #know(socket: Socket, caller: HttpCaller): void {
    const owner = caller.at === "operator" ? "" : caller.principal.name;
    this.#connections.know(socket, owner, { isBounded: caller.at === "principal" });
  }

  /** A connection has one request under way. One that is sent before its answer ends the connection. */
  #serve({ socket }: { readonly socket: Socket }, serve: () => Promise<void>): void {
    if (socket.destroyed) return;
    if (this.#busy.has(socket)) {
      socket.destroy();
      return;
    }
    const done = serve()
      .catch(() => void socket.destroy())
      .finally(() => this.#busy.delete(socket));
    this.#busy.set(socket, done);
  }
}

function tlsOptions({ cert, key, ca, requestCert = false }: HttpTls) {
  return {
    ...{ cert: Buffer.from(cert), key: Buffer.from(key), requestCert, minVersion: "TLSv1.2" as const },
    ...(ca === undefined ? {} : { ca: Buffer.from(ca) }),
  };
}

/** Answers bytes that are not HTTP, or come too slowly, and ends the connection. */
function refuse(
  error: NodeJS.ErrnoException,
  socket: { readonly writable: boolean; end(text: string): void; destroy(): void },
): void {
  if (!socket.writable || error.code === "ECONNRESET") {
    socket.destroy();
    return;
  }
  socket.end(`HTTP/1.1 ${statusLine(error.code)}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  // The client may not read it.
  socket.destroy();
}

function statusLine(code: string | undefined): string {
  switch (code) {
    case "HPE_HEADER_OVERFLOW":
      return "431 Request Header Fields Too Large";
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return "408 Request Timeout";
    default:
      return "400 Bad Request";
  }
}

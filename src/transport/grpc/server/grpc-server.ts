import {
  createSecureServer,
  createServer,
  type Http2SecureServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { Socket } from "node:net";
import { formatAddress, formatHost, parseAddress, type TransportAddress } from "../../address.ts";
import { startDeadline } from "../../calls/long-timer.ts";
import type { LinkService, Listener, Listening } from "../../link.ts";
import { createListenerCounters, type ListenerCounters } from "../../listener-counters.ts";
import { RpcError, StatusCode } from "../../rpc-status.ts";
import { listenError } from "../../system-error.ts";
import { afterRead } from "../connection/after-read.ts";
import { ByteBudget } from "../connection/byte-budget.ts";
import { HEADER_COST_BYTES } from "../framing/headers.ts";
import { ServerConnection } from "./server-connection.ts";
import { ServerDispatch } from "./server-dispatch.ts";
import { type GrpcListenerOptions, type GrpcListenerSettings, toListenerSettings } from "./server-options.ts";

/** All connections together may hold as much as this number of full ones. */
const CONNECTIONS_FULL = 8;

/** Time in which a closed connection may send its last bytes, in milliseconds, but no more than a quarter of the grace. */
const GOODBYE_MS = 1_000;

/**
 * Creates a listener for gRPC over HTTP/2. Without `tls` it listens in plaintext.
 *
 * `listen` rejects with `RpcError`: invalid-argument for an address that it cannot parse or that is not local;
 * unavailable for an address in use. The system's error is the `cause`.
 *
 * @example
 * ```ts
 * const host = new Host({ listener: grpcListener({ tls: { key, cert } }), address: "0.0.0.0:50051" });
 * await host.start();
 * ```
 */
export function grpcListener(options: GrpcListenerOptions = {}): Listener {
  const settings = toListenerSettings(options);
  return {
    async listen(text, services) {
      const address = parseAddress(text);
      if (address.secure && settings.tls === undefined) {
        throw new RpcError(StatusCode.invalidArgument, `${text} asks for TLS: pass the option tls, { cert, key }.`);
      }
      const server = createHttp2Server(settings);
      // The handlers are attached before binding, so that the first connection is not missed.
      const listening = new GrpcListening(server, services, settings);
      await listening.bind(address);
      return listening;
    },
  };
}

type AnyServer = Http2Server | Http2SecureServer;

class GrpcListening implements Listening {
  readonly closed: Promise<void>;
  readonly #server: AnyServer;
  readonly #connections = new Map<ServerHttp2Stream["session"], ServerConnection>();
  readonly #sockets = new Set<Socket>();
  readonly #counters = createListenerCounters();
  readonly #sharedBudget: ByteBudget;
  #address = "";
  #isClosing = false;
  #resolveClosed: () => void = () => undefined;

  constructor(server: AnyServer, services: readonly LinkService[], settings: GrpcListenerSettings) {
    this.#server = server;
    this.#sharedBudget = new ByteBudget(settings.maxHeldBytes * CONNECTIONS_FULL);
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    server.on("connection", (socket: Socket) => this.#onConnection(socket));
    server.on("tlsClientError", () => {
      this.#counters.unopenedConnections += 1;
    });
    server.on("drop", () => {
      this.#counters.refusedConnections += 1;
    });
    const dispatch = new ServerDispatch({ services, counters: this.#counters, ...settings });
    server.on("session", (http2: ServerHttp2Session) => this.#onSession(http2, settings));
    server.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, _flags: number, raw: string[]) => {
      const session = this.#connections.get(stream.session);
      if (session === undefined) return afterRead(() => stream.destroy());
      session.onStream(stream);
      dispatch.accept(stream, { headers, rawHeaders: raw }, session);
    });
    // Each call of a broken connection reports its own end.
    server.on("sessionError", () => undefined);
  }

  get address(): string {
    return this.#address;
  }

  counters(): ListenerCounters {
    return { ...this.#counters, connections: this.#sockets.size };
  }

  bind(address: TransportAddress): Promise<void> {
    const server = this.#server;
    return new Promise((resolve, reject) => {
      server.once("error", (error) => reject(listenError(formatAddress(address), error)));
      const onListening = (): void => {
        // After binding, an error concerns one connection that could not be accepted (no file descriptors left). Its
        // client sees it.
        server.on("error", () => undefined);
        const bound = server.address();
        const port = bound === null || typeof bound === "string" ? undefined : bound.port;
        this.#address = address.kind === "unix" ? formatAddress(address) : `${formatHost(address.host)}:${port}`;
        resolve();
      };
      if (address.kind === "unix") server.listen(address.path, onListening);
      else server.listen(address.port, address.host, onListening);
    });
  }

  async close(graceMs = 0): Promise<void> {
    if (!this.#isClosing) {
      this.#isClosing = true;
      this.#server.close(() => this.#resolveClosed());
      for (const session of this.#connections.values()) session.goAway();
    }
    const goodbyeMs = Math.min(GOODBYE_MS, graceMs / 4);
    const stopCut = startDeadline(graceMs - goodbyeMs, () => this.#cut());
    const stopDrop = startDeadline(graceMs, () => this.#drop());
    await this.closed;
    stopCut();
    stopDrop();
  }

  #cut(): void {
    for (const session of this.#connections.values()) session.cut("This host was stopped.");
    // Pending bytes are still sent, but a client that does not close its side is not waited for.
    for (const socket of this.#sockets) socket.destroySoon();
  }

  /** Ends connections whose clients do not read what is pending. */
  #drop(): void {
    afterRead(() => {
      for (const socket of this.#sockets) socket.destroy();
    });
  }

  #onConnection(socket: Socket): void {
    this.#counters.acceptedConnections += 1;
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
  }

  #onSession(http2: ServerHttp2Session, settings: GrpcListenerSettings): void {
    http2.setLocalWindowSize(settings.limits.windowBytes);
    const session = new ServerConnection(http2, {
      settings,
      counters: this.#counters,
      sharedBudget: this.#sharedBudget,
    });
    this.#connections.set(http2, session);
    if (settings.pingIntervalMs > 0) session.watch(settings.pingIntervalMs, settings.pingTimeoutMs);
    http2.once("close", () => this.#connections.delete(http2));
    if (this.#isClosing) http2.close();
  }
}

function createHttp2Server(settings: GrpcListenerSettings): AnyServer {
  const { limits, maxConcurrentStreams, maxHeaderBytes, handshakeTimeoutMs, tls } = settings;
  const options = {
    noDelay: true,
    maxSessionMemory: limits.maxSessionMemoryMb,
    maxHeaderListPairs: Math.ceil(maxHeaderBytes / HEADER_COST_BYTES) + 1,
    settings: {
      initialWindowSize: limits.windowBytes,
      maxConcurrentStreams,
      // Node silently resets calls with longer headers. Up to twice our limit, this side can refuse them with a status.
      maxHeaderListSize: 2 * maxHeaderBytes,
      enablePush: false,
    },
  };
  const server =
    tls === undefined
      ? createServer(options)
      : createSecureServer({ handshakeTimeout: handshakeTimeoutMs, ...tls, ...options, allowHTTP1: false });
  server.maxConnections = settings.maxConnections;
  return server;
}

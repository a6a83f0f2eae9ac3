import {
  constants,
  createSecureServer,
  createServer,
  type Http2SecureServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { Socket } from "node:net";
import { type SecureContextOptions, type TLSSocket, Server as TlsServer } from "node:tls";
import { createMemoryAccountant } from "../../accounting/fair-accountant.ts";
import { FairCount } from "../../accounting/fair-count.ts";
import type { MemoryAccount, MemoryAccountant } from "../../accounting/memory-account.ts";
import { partyOf } from "../../accounting/party-of.ts";
import { formatAddress, formatHost, isLocalAddress, parseAddress, type TransportAddress } from "../../address.ts";
import { startDeadline } from "../../calls/long-timer.ts";
import type { AddressBounds, LinkService, Listener, Listening, ListenOptions } from "../../link.ts";
import { createListenerCounters, type ListenerCounters } from "../../listener-counters.ts";
import { RpcError, StatusCode } from "../../rpc-status.ts";
import { listenError } from "../../system-error.ts";
import { afterRead } from "../connection/after-read.ts";
import { HEADER_COST_BYTES } from "../framing/headers.ts";
import { FairTurns } from "../turns/fair-turns.ts";
import { Arrivals } from "./arrivals.ts";
import { bindServers, portOf } from "./binding.ts";
import { Certificates } from "./certificates.ts";
import { watchLoop } from "./late-loop.ts";
import { refusedHandshake } from "./refused-handshake.ts";
import { GOODBYE_MS, ServerConnection } from "./server-connection.ts";
import { ServerDispatch } from "./server-dispatch.ts";
import { type GrpcListenerOptions, type GrpcListenerSettings, toListenerSettings } from "./server-options.ts";

/** Memory of a connection without calls: 26 KB, and 40 KB more with TLS, measured with 2 000 and 600 of them. */
const CONNECTION_COST_BYTES = 26 * 1024;
const TLS_COST_BYTES = 40 * 1024;

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
export function grpcListener(options: GrpcListenerOptions = {}): GrpcListener {
  const settings = toListenerSettings(options);
  const certificates = new Certificates(settings.givenTls, settings.tls);
  return {
    maxHeldBytes: settings.maxHeldBytes,
    async listen(text, services, { accountant = createMemoryAccountant(), ...asked } = {}) {
      const address = parseAddress(text);
      if (address.secure && settings.tls === undefined) {
        throw new RpcError(StatusCode.invalidArgument, `${text} asks for TLS: pass the option tls, { cert, key }.`);
      }
      const listening = new GrpcListening(services, { ...settings, accountant, ...asked }, certificates);
      await listening.bind(address);
      return listening;
    },
    exposureOf: (text) => {
      if (isLocalAddress(parseAddress(text))) return "local";
      const { tls } = certificates;
      if (tls === undefined) return "plaintext";
      return tls.requestCert === true && tls.rejectUnauthorized !== false ? "mutual-tls" : "tls";
    },
    reloadTls: (tls) => certificates.reload(tls),
  };
}

/** A listener for gRPC whose certificate can be renewed. */
export interface GrpcListener extends Listener {
  /**
   * Serves new connections with another certificate, key or authority (`cert`, `key`, `ca`). What is not given stays. Open connections
   * keep theirs. Throws `RpcError`: invalid-argument for a certificate that does not fit, which changes nothing;
   * failed-precondition when the listener was made without `tls`.
   */
  reloadTls(tls: SecureContextOptions): void;
}

interface ListeningSettings extends GrpcListenerSettings, ListenOptions {
  readonly accountant: MemoryAccountant;
}

type AnyServer = Http2Server | Http2SecureServer;

class GrpcListening implements Listening {
  readonly closed: Promise<void>;
  readonly #makeServer: () => AnyServer;
  /** Shares `maxConnections` between peer addresses. */
  readonly #places: FairCount;
  readonly #connections = new Map<ServerHttp2Stream["session"], ServerConnection>();
  /** Open sockets, with the connections of those on which HTTP/2 has begun. */
  readonly #sockets = new Map<Socket, ServerConnection | undefined>();
  readonly #counters = createListenerCounters();
  readonly #turns = new FairTurns();
  readonly #arrivals = new Arrivals(this.#turns);
  /** One for each address that the host's name has. */
  #servers: readonly AnyServer[] = [];
  readonly #accountant: MemoryAccountant;
  readonly #addresses: AddressBounds | undefined;
  readonly #certificates: Certificates;
  readonly #connectionBytes: number;
  #address = "";
  #isClosing = false;
  #resolveClosed: () => void = () => undefined;

  constructor(services: readonly LinkService[], settings: ListeningSettings, certificates: Certificates) {
    this.#places = new FairCount({
      max: settings.maxConnections,
      onGaveWay: () => {
        this.#counters.gaveWay += 1;
      },
    });
    this.#accountant = settings.accountant;
    this.#addresses = settings.addresses;
    this.#certificates = certificates;
    this.#connectionBytes = CONNECTION_COST_BYTES + (settings.tls === undefined ? 0 : TLS_COST_BYTES);
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    const dispatch = new ServerDispatch({ services, counters: this.#counters, ...settings });
    this.#makeServer = () => {
      const server = createHttp2Server(settings, certificates);
      this.#attach(server, dispatch, settings);
      return server;
    };
  }

  /** Attaches the handlers before the server is bound, so that the first connection is not missed. */
  #attach(server: AnyServer, dispatch: ServerDispatch, settings: ListeningSettings): void {
    const onRead = (error: unknown): void => settings.onTlsFilesRead?.(error);
    this.#arrivals.attach(server, (socket) => {
      this.#certificates.look(onRead);
      return this.#onConnection(socket);
    });
    server.on("tlsClientError", (error: Error, socket: TLSSocket) => {
      this.#counters.unopenedConnections += 1;
      const refused = refusedHandshake(error, socket);
      if (refused !== undefined) settings.onRefusedHandshake?.(refused);
    });
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

  async bind(address: TransportAddress): Promise<void> {
    try {
      this.#servers = await bindServers(this.#makeServer, address);
    } catch (error) {
      throw error instanceof RpcError ? error : listenError(formatAddress(address), error);
    }
    // After binding, an error concerns one connection that could not be accepted (no file descriptors left). Its client sees it.
    for (const server of this.#servers) server.on("error", () => undefined);
    void this.closed.then(watchLoop((isFirst) => this.#turns.noteReads(isFirst)));
    const port = portOf(this.#servers[0]);
    this.#address = address.kind === "unix" ? formatAddress(address) : `${formatHost(address.host)}:${port}`;
  }

  async close(graceMs = 0): Promise<void> {
    if (!this.#isClosing) {
      this.#isClosing = true;
      const closing = this.#servers.map((server) => new Promise((resolve) => server.close(resolve)));
      void Promise.all(closing).then(() => this.#resolveClosed());
      for (const session of this.#connections.values()) session.goAway();
    }
    // No more than a quarter of the grace.
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
    for (const socket of this.#sockets.keys()) socket.destroySoon();
  }

  /** Ends connections whose clients do not read what is pending. */
  #drop(): void {
    afterRead(() => {
      for (const socket of this.#sockets.keys()) socket.destroy();
    });
  }

  /** Whether the connection is accepted. */
  #onConnection(socket: Socket): boolean {
    const party = partyOf(socket.remoteAddress);
    if (this.#addresses?.mayConnect(party, this.#places.heldBy(party)) === false || !this.#places.mayTake(party)) {
      this.#counters.refusedConnections += 1;
      socket.destroy();
      return false;
    }
    this.#counters.acceptedConnections += 1;
    this.#sockets.set(socket, undefined);
    const place = this.#places.take(party, () => afterRead(() => this.#giveWay(socket)));
    const account = this.#charge(socket);
    socket.once("close", () => {
      place.leave();
      this.#sockets.delete(socket);
      account.close();
    });
    return true;
  }

  /** Others needed the place of a connection. */
  #giveWay(socket: Socket): void {
    const connection = this.#sockets.get(socket);
    const text = "The clients of this address had most of the connections that this host takes, and others needed one.";
    if (connection === undefined) socket.destroy();
    else connection.cut(text, constants.NGHTTP2_ENHANCE_YOUR_CALM);
  }

  /** A connection costs memory before HTTP/2 and TLS have begun. It is hung up on if there is none. */
  #charge(socket: Socket): MemoryAccount {
    const party = partyOf(socket.remoteAddress);
    const account = this.#accountant.openAccount({
      ...{
        party,
        partyBound: this.#addresses?.keptBy(party),
        name: `connection ${socket.remoteAddress ?? "local socket"}`,
      },
      // It holds too little to be asked.
      giveWay: () => undefined,
    });
    if (account.take(this.#connectionBytes, "opening")) return account;
    this.#counters.overloadedConnections += 1;
    afterRead(() => socket.destroy());
    return account;
  }

  #onSession(http2: ServerHttp2Session, settings: GrpcListenerSettings): void {
    http2.setLocalWindowSize(settings.limits.windowBytes);
    const { lane, socket } = this.#arrivals.arrivalOf(http2);
    const session = new ServerConnection(http2, {
      settings,
      counters: this.#counters,
      accountant: this.#accountant,
      ...{ lane, socket },
      onFlood: () => this.#turns.noteFlood(lane),
    });
    this.#connections.set(http2, session);
    if (socket !== undefined && this.#sockets.has(socket)) this.#sockets.set(socket, session);
    if (settings.pingIntervalMs > 0) session.watch(settings.pingIntervalMs, settings.pingTimeoutMs);
    http2.once("close", () => {
      this.#connections.delete(http2);
      lane.close();
    });
    if (this.#isClosing) http2.close();
  }
}

function createHttp2Server(settings: GrpcListenerSettings, certificates: Certificates): AnyServer {
  const { limits, maxConcurrentStreams, maxHeaderBytes, handshakeTimeoutMs } = settings;
  const { tls } = certificates;
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
  if (server instanceof TlsServer) certificates.follow(server);
  return server;
}

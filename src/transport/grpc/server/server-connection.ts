import type { X509Certificate } from "node:crypto";
import { constants, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import type { MemoryAccount, MemoryAccountant } from "../../accounting/memory-account.ts";
import { partyOf } from "../../accounting/party-of.ts";
import { formatHost } from "../../address.ts";
import type { MutableListenerCounters } from "../../listener-counters.ts";
import { clearTimeout, setTimeout } from "../../real-time.ts";
import { describeLoss, errorCode } from "../../system-error.ts";
import { afterRead } from "../connection/after-read.ts";
import { DeliveryAcknowledgements } from "../connection/delivery-acknowledgements.ts";
import { startKeepAlive } from "../connection/keep-alive.ts";
import { UnfinishedMessages } from "../connection/unfinished-messages.ts";
import type { Lane } from "../turns/lane.ts";
import { ConnectionGuard } from "./connection-guard.ts";
import type { GrpcListenerSettings } from "./server-options.ts";

/** Time in which a closed connection may send its last bytes, in milliseconds. */
export const GOODBYE_MS = 1_000;

export interface ServerConnectionParts {
  readonly settings: GrpcListenerSettings;
  readonly counters: MutableListenerCounters;
  readonly accountant: MemoryAccountant;
  /** Turns of the connection. */
  readonly lane: Lane;
  /** The socket below TLS and HTTP/2, if it is known. */
  readonly socket: Socket | undefined;
  /** Called when the connection is cut for flooding. */
  readonly onFlood: () => void;
}

/** The server's side of one client's connection. */
export class ServerConnection {
  /** `host:port` of the client, for logs. */
  readonly peer: string;
  /** For all that this connection makes the host keep. */
  readonly account: MemoryAccount;
  readonly unfinished: UnfinishedMessages;
  readonly lane: Lane;
  readonly acknowledgements = new DeliveryAcknowledgements();
  readonly #http2: ServerHttp2Session;
  readonly #socket: Socket | undefined;
  readonly #guard: ConnectionGuard;
  readonly #onBroken: () => void;
  #certificate: { readonly shown: X509Certificate | undefined } | undefined;
  #goodbye: NodeJS.Timeout | undefined;
  #reason: string | undefined;

  constructor(http2: ServerHttp2Session, parts: ServerConnectionParts) {
    const { settings, counters, accountant, lane, onFlood } = parts;
    this.#http2 = http2;
    this.#socket = parts.socket;
    this.#onBroken = () => {
      counters.brokenConnections += 1;
      onFlood();
    };
    this.lane = lane;
    this.unfinished = new UnfinishedMessages(settings.messageTimeoutMs);
    const { remoteAddress, remotePort } = http2.socket;
    this.peer = remoteAddress === undefined ? "local socket" : `${formatHost(remoteAddress)}:${remotePort}`;
    http2.on("error", (error) => {
      if (isBreach(error)) this.#onBroken();
      this.#reason ??= describeLoss(this.peer, error);
    });
    const cut = (reason: string, code: number): void => {
      this.#announceEnd(reason, code);
      afterRead(() => this.#end());
    };
    this.#guard = new ConnectionGuard({ http2, counters, cut, lane, onFlood, ...settings });
    this.account = accountant.openAccount({
      ...{ party: partyOf(remoteAddress), name: `connection ${this.peer}` },
      ...{ maxBytes: settings.maxHeldBytes, maxBytesName: "maxHeldBytes" },
      giveWay: (reason) => {
        counters.gaveWay += 1;
        cut(reason, constants.NGHTTP2_ENHANCE_YOUR_CALM);
      },
    });
    http2.once("close", () => {
      clearTimeout(this.#goodbye);
      this.unfinished.close();
      this.account.close();
    });
  }

  /** Returns why the connection is gone; undefined while it is open. */
  readonly lossReason = (): string | undefined => {
    if (!this.#http2.destroyed) return undefined;
    return this.#reason ?? `${this.peer} closed the connection.`;
  };

  /** Returns the certificate that the client has shown and that an authority of the listener has signed. It reads it once. */
  readonly certificate = (): X509Certificate | undefined => {
    this.#certificate ??= { shown: certificateOf(this.#http2) };
    return this.#certificate.shown;
  };

  /** Notes a new call on the connection. */
  onStream(stream: ServerHttp2Stream): void {
    this.#guard.onStream(stream);
  }

  /** Starts keep-alive pings: a client that stays silent for too long counts as lost. */
  watch(pingIntervalMs: number, pingTimeoutMs: number): void {
    const onBroken = (): void => {
      this.#onBroken();
      this.cut(`${this.peer} broke HTTP/2.`);
    };
    const onDead = (): void => this.cut(`${this.peer} did not answer a keep-alive ping within ${pingTimeoutMs} ms.`);
    const stop = startKeepAlive(this.#http2, {
      ...{ intervalMs: pingIntervalMs, timeoutMs: pingTimeoutMs, onDead, onBroken },
      isHeldBack: () => this.lane.isHeld,
      beforeAsking: this.acknowledgements.beforeAsking,
    });
    this.#http2.once("close", stop);
  }

  /** Refuses new calls; the connection closes with its last call. */
  goAway(): void {
    this.#http2.close();
  }

  /** Ends the connection and every call. `code` is the HTTP/2 code that the client gets. */
  cut(reason: string, code: number = constants.NGHTTP2_NO_ERROR): void {
    this.#announceEnd(reason, code);
    this.#end();
  }

  /**
   * Destroys the session, and then the socket. Node closes that only when the client has read what is left. After a client's GOAWAY it
   * waits for the client to close its side.
   */
  #end(): void {
    const socket = this.#socket;
    if (this.#http2.destroyed && this.#goodbye === undefined) socket?.destroy();
    this.#http2.destroy();
    this.#goodbye ??= setTimeout(() => socket?.destroy(), GOODBYE_MS).unref();
  }

  #announceEnd(reason: string, code: number): void {
    this.#reason ??= reason;
    if (code !== constants.NGHTTP2_NO_ERROR && !this.#http2.destroyed) this.#http2.goaway(code, 0, Buffer.from(reason));
  }
}

/** Whether an error violates HTTP/2 itself, and is not an error of the network. */
function isBreach(error: unknown): boolean {
  return errorCode(error)?.startsWith("ERR_HTTP2") ?? false;
}

/** Undefined: plaintext, a client without a certificate, or one whose certificate no authority of the listener has signed. */
function certificateOf(http2: ServerHttp2Session): X509Certificate | undefined {
  if (http2.destroyed) return undefined;
  const { socket } = http2;
  return socket instanceof TLSSocket && socket.authorized ? socket.getPeerX509Certificate() : undefined;
}

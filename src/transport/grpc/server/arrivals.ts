import type { ServerHttp2Session } from "node:http2";
import type { Server, Socket } from "node:net";
import { type TLSSocket, Server as TlsServer } from "node:tls";
import { partyOf } from "../../accounting/party-of.ts";
import { CONNECTION_MS, HANDSHAKE_MS } from "../turns/costs.ts";
import type { FairTurns } from "../turns/fair-turns.ts";
import type { Lane } from "../turns/lane.ts";
import { gateOf } from "./socket-gate.ts";

/** A connection that has arrived. */
export interface Arrival {
  readonly lane: Lane;
  /** The socket below TLS and HTTP/2. Undefined for TLS over a Unix socket. */
  readonly socket: Socket | undefined;
}

/** The connections of a listener from their arrival on: each gets its lane, and is opened in its turn. */
export class Arrivals {
  readonly #turns: FairTurns;
  /** By the addresses and ports of both ends. */
  readonly #arrivals = new Map<string, Arrival>();
  /** The connection that is being opened. */
  #opening: Arrival | undefined;

  constructor(turns: FairTurns) {
    this.#turns = turns;
  }

  /**
   * Passes each new connection of the server to `check`, and those that it accepts to TLS and HTTP/2, in their turns. Until then
   * nothing is read from them, and no time limit runs.
   */
  attach(server: Server, check: (socket: Socket) => boolean): void {
    const openers = server.listeners("connection");
    const costMs = server instanceof TlsServer ? CONNECTION_MS + HANDSHAKE_MS : CONNECTION_MS;
    server.removeAllListeners("connection");
    server.on("connection", (socket: Socket) => {
      if (!check(socket)) return;
      const arrival = this.#join(socket);
      const { lane } = arrival;
      // Not before: a charge may make the lane wait, and then it would not wait as a new one.
      this.#turns.admit(lane, () => {
        if (socket.destroyed) return;
        lane.charge(costMs);
        this.#opening = arrival;
        for (const open of openers) open.call(server, socket);
        this.#opening = undefined;
      });
    });
  }

  /** The arrival of an HTTP/2 connection. */
  arrivalOf(http2: ServerHttp2Session): Arrival {
    const known = this.#opening ?? this.#arrivals.get(keyOf(http2.socket));
    if (known !== undefined) return known;
    // Over a Unix socket nothing names the connection below TLS.
    const lane = this.#turns.join(partyOf(http2.socket.remoteAddress));
    http2.once("close", () => lane.close());
    return { lane, socket: undefined };
  }

  #join(socket: Socket): Arrival {
    const lane = this.#turns.join(partyOf(socket.remoteAddress));
    lane.setGate(gateOf(socket));
    const key = keyOf(socket);
    const arrival = { lane, socket };
    if (socket.remotePort !== undefined) this.#arrivals.set(key, arrival);
    socket.once("close", () => {
      lane.close();
      if (this.#arrivals.get(key) === arrival) this.#arrivals.delete(key);
    });
    return arrival;
  }
}

/** A client may use one port of its own for several addresses of this side. */
function keyOf({ remoteAddress, remotePort, localAddress, localPort }: Socket | TLSSocket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}

import type { ServerHttp2Session } from "node:http2";
import type { Server, Socket } from "node:net";
import { Server as TlsServer } from "node:tls";
import { partyOf } from "../../accounting/party-of.ts";
import { CONNECTION_MS, HANDSHAKE_MS } from "../turns/costs.ts";
import type { FairTurns } from "../turns/fair-turns.ts";
import type { Lane } from "../turns/lane.ts";
import { gateOf } from "./socket-gate.ts";

/** The connections of a listener from their arrival on: each gets its lane, and is opened in its turn. */
export class Arrivals {
  readonly #turns: FairTurns;
  /** Lanes of connections by the peer's address and port. */
  readonly #lanes = new Map<string, Lane>();
  /** The lane whose connection is being opened. */
  #opening: Lane | undefined;

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
      const lane = this.#join(socket);
      lane.charge(costMs);
      this.#turns.admit(lane, () => {
        if (socket.destroyed) return;
        this.#opening = lane;
        for (const open of openers) open.call(server, socket);
        this.#opening = undefined;
      });
    });
  }

  /** The lane of an HTTP/2 connection. */
  laneOf(http2: ServerHttp2Session): Lane {
    const { remoteAddress, remotePort } = http2.socket;
    const known = this.#opening ?? this.#lanes.get(keyOf(remoteAddress, remotePort));
    if (known !== undefined) return known;
    // Over a Unix socket nothing names the connection below TLS.
    const lane = this.#turns.join(partyOf(remoteAddress));
    http2.once("close", () => lane.close());
    return lane;
  }

  #join(socket: Socket): Lane {
    const { remoteAddress, remotePort } = socket;
    const lane = this.#turns.join(partyOf(remoteAddress));
    lane.setGate(gateOf(socket));
    const key = keyOf(remoteAddress, remotePort);
    if (remotePort !== undefined) this.#lanes.set(key, lane);
    socket.once("close", () => {
      lane.close();
      if (this.#lanes.get(key) === lane) this.#lanes.delete(key);
    });
    return lane;
  }
}

function keyOf(address: string | undefined, port: number | undefined): string {
  return `${address} ${port}`;
}

import type { Socket } from "node:net";
import { httpLimits } from "./http-limits.ts";

/** A connection in the table. */
interface Entry {
  /** Its client. Undefined: the connection has ended. */
  readonly peer: string | undefined;
  /** Names the caller that has shown who it is. Undefined: none has. */
  owner: string | undefined;
}

/**
 * The connections of a server. When it is full, a new one takes the place of the oldest whose client has not shown who it is. So such a client
 * keeps no operator out. One principal has half of the places at most; one more takes the place of its oldest. Principals together leave some
 * places to newcomers: one connection more takes the place of the oldest of the principal that has most.
 */
export class ConnectionTable {
  /** Oldest first. */
  readonly #all = new Map<Socket, Entry>();
  /** By the address and the port of the client: a TLS connection is two sockets. */
  readonly #byPeer = new Map<string, Socket>();

  get size(): number {
    return this.#all.size;
  }

  /** Enters a new connection, or ends it if the clients of all others have shown who they are. */
  add(socket: Socket): void {
    if (this.size >= httpLimits.connections) {
      const oldest = this.#oldest(undefined);
      if (oldest === undefined) {
        socket.destroy();
        return;
      }
      this.#end(oldest);
    }
    const entry: Entry = { peer: peerOf(socket), owner: undefined };
    this.#all.set(socket, entry);
    if (entry.peer !== undefined) this.#byPeer.set(entry.peer, socket);
    socket.once("close", () => this.#remove(socket));
  }

  /** The client has shown who it is. `isBounded`: it may have half of the places. */
  know(given: Socket, owner = "", { isBounded = false }: { readonly isBounded?: boolean } = {}): void {
    const entry = this.#entryOf(given);
    if (entry === undefined || entry.owner === owner) return;
    entry.owner = owner;
    if (!isBounded) return;
    const counts = this.#known();
    const all = [...counts.values()].reduce((sum, count) => sum + count, 0);
    if ((counts.get(owner) ?? 0) > httpLimits.connections / 2) this.#endOldest(owner);
    else if (all > httpLimits.connections - httpLimits.openConnections) this.#endOldest(greediest(counts));
  }

  /** The connections of each caller that has shown who it is. */
  #known(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const { owner } of this.#all.values())
      if (owner !== undefined) counts.set(owner, (counts.get(owner) ?? 0) + 1);
    return counts;
  }

  #endOldest(owner: string): void {
    const oldest = this.#oldest(owner);
    if (oldest !== undefined) this.#end(oldest);
  }

  destroyAll(): void {
    for (const socket of [...this.#all.keys()]) socket.destroy();
  }

  #entryOf(socket: Socket): Entry | undefined {
    const own = this.#all.get(socket);
    if (own !== undefined) return own;
    const beneath = this.#byPeer.get(peerOf(socket) ?? "");
    return beneath && this.#all.get(beneath);
  }

  #oldest(owner: string | undefined): Socket | undefined {
    for (const [socket, entry] of this.#all) if (entry.owner === owner) return socket;
    return undefined;
  }

  #end(socket: Socket): void {
    this.#remove(socket);
    socket.destroy();
  }

  #remove(socket: Socket): void {
    const peer = this.#all.get(socket)?.peer;
    this.#all.delete(socket);
    if (peer !== undefined && this.#byPeer.get(peer) === socket) this.#byPeer.delete(peer);
  }
}

/** The caller that has most connections. */
function greediest(counts: ReadonlyMap<string, number>): string {
  let [most, found] = [0, ""];
  for (const [owner, count] of counts) if (count > most) [most, found] = [count, owner];
  return found;
}

/** Undefined: the connection has ended already. */
function peerOf({ remoteAddress, remotePort }: Socket): string | undefined {
  return remoteAddress === undefined ? undefined : `${remoteAddress} ${remotePort ?? 0}`;
}

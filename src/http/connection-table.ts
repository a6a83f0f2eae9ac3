import type { Socket } from "node:net";
import { httpLimits } from "./http-limits.ts";

/**
 * The connections of a server. When it is full, a new one takes the place of the oldest that has not shown the token. So a client
 * without the token keeps no operator out.
 */
export class ConnectionTable {
  readonly #strangers = new Set<Socket>();
  readonly #known = new Set<Socket>();

  get size(): number {
    return this.#strangers.size + this.#known.size;
  }

  /** Enters a new connection, or ends it if all others have shown the token. */
  add(socket: Socket): void {
    if (this.size >= httpLimits.connections) {
      const [oldest] = this.#strangers;
      if (oldest === undefined) {
        socket.destroy();
        return;
      }
      this.#strangers.delete(oldest);
      oldest.destroy();
    }
    this.#strangers.add(socket);
    socket.once("close", () => {
      this.#strangers.delete(socket);
      this.#known.delete(socket);
    });
  }

  /** The client has shown the token. */
  know(socket: Socket): void {
    if (this.#strangers.delete(socket)) this.#known.add(socket);
  }

  destroyAll(): void {
    for (const socket of [...this.#strangers, ...this.#known]) socket.destroy();
  }
}

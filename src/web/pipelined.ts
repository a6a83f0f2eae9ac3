import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** Requests of one connection that wait for the answers before theirs, at most. Browsers send none before they have an answer. */
const mostWaiting = 32;

const waitingOf = new WeakMap<Socket, WaitingRequests>();

/** Whether the answers to earlier requests of the connection have been sent. */
export function isFirst(response: ServerResponse): boolean {
  // Node.js gives the connection to one answer after the other.
  return response.socket !== null;
}

/**
 * Waits until the answers to earlier requests of the connection have been sent. Resolves to false if the connection ends before. Node.js does not tell
 * such a request of the end of its connection, and does not bound such requests. Too many end the connection.
 */
export function untilFirst({ socket }: IncomingMessage, response: ServerResponse): Promise<boolean> {
  const waiting = waitingOf.get(socket) ?? new WaitingRequests(socket);
  waitingOf.set(socket, waiting);
  return waiting.wait(response);
}

/** Requests of one connection that wait. They share one listener. */
class WaitingRequests {
  readonly #socket: Socket;
  readonly #ends = new Set<() => void>();

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.once("close", () => {
      for (const end of this.#ends) end();
    });
  }

  async wait(response: ServerResponse): Promise<boolean> {
    if (this.#socket.destroyed) return false;
    if (this.#ends.size >= mostWaiting) {
      this.#socket.destroy();
      return false;
    }
    let end = (): void => undefined;
    try {
      return await new Promise<boolean>((resolve) => {
        end = () => resolve(false);
        this.#ends.add(end);
        response.once("socket", () => resolve(true));
      });
    } finally {
      this.#ends.delete(end);
    }
  }
}

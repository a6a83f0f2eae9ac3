import type { Socket } from "node:net";
import type { Gate } from "../turns/lane.ts";

/** Node's handle of a socket, which `node:http2` and `node:tls` read from. */
interface ReadHandle {
  readStop(): void;
  readStart(): void;
  readonly writeQueueSize?: number;
  readonly bytesRead?: number;
}

/**
 * Returns the gate of a socket; it also works below TLS and HTTP/2. Undefined if the socket has no such
 * handle. `socket.pause()` has no effect there, because both read from the handle. Flow control can't hold back new calls.
 */
export function gateOf(socket: Socket): Gate | undefined {
  if (readHandleOf(socket) === undefined) return undefined;
  return {
    get bytesRead() {
      return readHandleOf(socket)?.bytesRead ?? 0;
    },
    stop: () => readHandleOf(socket)?.readStop(),
    start: () => {
      const handle = readHandleOf(socket);
      // While a write is under way Node itself has stopped the reading, and starts it when the write has ended.
      if (handle !== undefined && (handle.writeQueueSize ?? 0) === 0) handle.readStart();
    },
  };
}

function readHandleOf(socket: Socket): ReadHandle | undefined {
  if (socket.destroyed) return undefined;
  const handle: unknown = Reflect.get(socket, "_handle");
  return isReadHandle(handle) ? handle : undefined;
}

function isReadHandle(handle: unknown): handle is ReadHandle {
  return (
    typeof handle === "object" &&
    handle !== null &&
    typeof Reflect.get(handle, "readStop") === "function" &&
    typeof Reflect.get(handle, "readStart") === "function"
  );
}

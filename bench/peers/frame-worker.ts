import { decodeFrame, encodeFrame } from "troupe/protocol";
import { serveCallRounds } from "../support/call-rounds.ts";
import type { RelayConnection } from "./relay.ts";

/** Opens a connection to a relay; `onFrame` gets incoming frames. */
export type OpenConnection = (onFrame: (frame: Uint8Array) => void) => RelayConnection;

const payloadType = { typeName: "Ping", contentType: "application/json" };

/**
 * Serves the target: registers the type `target` and answers each call with its own payload. Resolves when it is
 * registered.
 */
export async function serveEcho(open: OpenConnection): Promise<void> {
  await new Promise<void>((registered) => {
    const connection = open((bytes) => {
      const frame = decodeFrame(bytes);
      if (frame.kind === "request") {
        const { requestId, payload } = frame;
        connection.send(encodeFrame({ kind: "response", requestId, payload, error: "", metadata: {} }));
      } else registered();
    });
    connection.send(encodeFrame({ kind: "register-type", requestId: "1", agentType: "target" }));
  });
}

/** Serves the caller, with our messages and codec, but no agents, checks, limits or JSON. */
export async function serveFrameCaller(open: OpenConnection): Promise<never> {
  const waiting = new Map<string, () => void>();
  let count = 0;
  const connection = open((bytes) => {
    const frame = decodeFrame(bytes);
    if (frame.kind !== "response") return;
    waiting.get(frame.requestId)?.();
    waiting.delete(frame.requestId);
  });
  return serveCallRounds((payloadBytes) => {
    const payload = { ...payloadType, data: new Uint8Array(payloadBytes).fill(120) };
    return () =>
      new Promise<void>((resolve) => {
        count += 1;
        const requestId = `${count}`;
        waiting.set(requestId, resolve);
        const [source, target] = [
          { type: "caller", key: "1" },
          { type: "target", key: "1" },
        ];
        connection.send(encodeFrame({ kind: "request", requestId, source, target, payload, metadata: {} }));
      });
  });
}

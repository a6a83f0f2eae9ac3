import { asciiBytes, encodeFrame, peekFrame, requestIdBytes, requestIdText, withRequestId } from "troupe/protocol";

/** A connection of a relay. */
export interface RelayConnection {
  send(frame: Uint8Array): void;
}

interface RelayedCall {
  readonly caller: RelayConnection;
  readonly callerId: Uint8Array;
}

/**
 * The routing of a host and nothing else: calls by agent type, answers by request id, events by topic type. It has no
 * limits, deadlines or error handling.
 */
export class Relay {
  readonly #owners = new Map<string, RelayConnection>();
  readonly #subscribers = new Map<string, Set<RelayConnection>>();
  readonly #calls = new Map<string, RelayedCall>();
  #count = 0;

  receive(from: RelayConnection, bytes: Uint8Array): void {
    const frame = peekFrame(bytes);
    switch (frame.kind) {
      case "request": {
        const target = this.#owners.get(frame.targetType ?? "");
        if (target === undefined) return;
        this.#count += 1;
        const id = `relay-${this.#count}`;
        this.#calls.set(id, { caller: from, callerId: requestIdBytes(frame) });
        return target.send(withRequestId(frame, asciiBytes(id)));
      }
      case "response": {
        const id = requestIdText(frame);
        const call = this.#calls.get(id);
        this.#calls.delete(id);
        return call?.caller.send(withRequestId(frame, call.callerId));
      }
      case "event":
        for (const subscriber of this.#subscribers.get(frame.topicType) ?? []) subscriber.send(frame.bytes);
        return;
      case "register-type":
        this.#owners.set(frame.agentType, from);
        return from.send(acknowledge(frame.requestId));
      case "subscribe": {
        const pattern = frame.pattern;
        if (pattern?.kind !== "type") return;
        const owner = this.#owners.get(pattern.agentType) ?? from;
        const subscribers = this.#subscribers.get(pattern.topicType) ?? new Set();
        this.#subscribers.set(pattern.topicType, subscribers.add(owner));
        return from.send(acknowledge(frame.requestId));
      }
      default:
        return;
    }
  }
}

function acknowledge(requestId: string): Uint8Array {
  return encodeFrame({ kind: "ack", of: "register-type", requestId, success: true, error: undefined });
}

import {
  encodeFrame,
  type PeekedResponse,
  peekFrame,
  requestIdBytes,
  requestIdText,
  withRequestId,
} from "troupe/protocol";
import type { PlainWorker } from "../peers/plain-worker.ts";
import { ClosedLoop } from "./closed-loop.ts";
import { below, payload } from "./payload.ts";

/** Which agents are called: a random one of `TYPE.0` … each time, with a random key. */
export interface CallTargets {
  readonly agentType: string;
  readonly types: number;
  readonly keys: number;
}

const answer = peekFrame(
  encodeFrame({ kind: "response", requestId: "0", payload, error: "", metadata: {} }),
) as PeekedResponse; // it was just made

/** Calls from random workers of a crowd to random agents, and the answers of its own agents. */
export class CrowdCalls {
  readonly loop: ClosedLoop;

  constructor(workers: readonly PlainWorker[], targets: CallTargets) {
    this.loop = new ClosedLoop((slot) => anyOf(workers).send(callTo(targets, slot)));
  }

  /** A frame came to one of the workers. */
  receive(bytes: Uint8Array, worker: PlainWorker): void {
    const frame = peekFrame(bytes);
    if (frame.kind === "request") worker.send(withRequestId(answer, requestIdBytes(frame)));
    else if (frame.kind === "response") this.loop.arrived(Number(requestIdText(frame)));
  }
}

function callTo({ agentType, types, keys }: CallTargets, slot: number): Uint8Array {
  return encodeFrame({
    kind: "request",
    requestId: `${slot}`,
    source: { type: "caller", key: "1" },
    target: { type: `${agentType}.${below(types)}`, key: `${below(keys)}` },
    payload,
    metadata: {},
  });
}

function anyOf(workers: readonly PlainWorker[]): PlainWorker {
  const worker = workers[below(workers.length)];
  if (worker === undefined) throw new Error("A crowd needs workers.");
  return worker;
}

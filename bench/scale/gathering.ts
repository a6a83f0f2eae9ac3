import { encodeFrame, type WirePattern } from "troupe/protocol";
import { PlainWorker } from "../peers/plain-worker.ts";
import { prefixOf, topicOf } from "./crowd-events.ts";

/** Sessions, types and subscriptions of a crowd. Types and subscriptions are dealt to the sessions in turn. */
export interface Gathering {
  readonly sessions: number;
  /** Agent types `crowd.0`, … */
  readonly types: number;
  /** Subscriptions to separate topics. `prefixes`: one per session, for all topics with its prefix. */
  readonly subscriptions: number | "prefixes";
}

// protocol.md §1.6
/**
 * Opens the sessions, each on its own connection, and declares everything. Resolves when the host has answered all.
 * Declares in the data channels, because a unary call each takes ten times as long.
 */
export async function gather(
  address: string,
  { sessions, types, subscriptions }: Gathering,
  onFrame: (bytes: Uint8Array, worker: PlainWorker) => void,
): Promise<readonly PlainWorker[]> {
  const numbers = Array.from({ length: sessions }, (_, session) => session);
  const workers = numbers.map((session) => new PlainWorker(address, `session-${session}`, onFrame));
  await Promise.all(workers.map((worker) => worker.settled()));
  await declare(workers, types, (index) => ({ kind: "register-type", requestId: "t", agentType: `crowd.${index}` }));
  const isByPrefix = subscriptions === "prefixes";
  const patternOf = isByPrefix ? prefixPattern : (index: number) => topicPattern(index, sessions);
  await declare(workers, isByPrefix ? sessions : subscriptions, (index) => ({
    kind: "subscribe",
    requestId: "s",
    pattern: patternOf(index),
  }));
  return workers;
}

type Declaration =
  | { readonly kind: "register-type"; readonly requestId: string; readonly agentType: string }
  | { readonly kind: "subscribe"; readonly requestId: string; readonly pattern: WirePattern };

async function declare(
  workers: readonly PlainWorker[],
  count: number,
  declarationOf: (index: number) => Declaration,
): Promise<void> {
  const answered = workers.map((worker) => worker.received);
  for (let index = 0; index < count; index += 1) {
    const at = index % workers.length;
    workers[at]?.send(encodeFrame(declarationOf(index)));
    answered[at] = (answered[at] ?? 0) + 1;
  }
  await Promise.all(workers.map((worker, at) => worker.receivedMoreThan((answered[at] ?? 0) - 1)));
}

function topicPattern(index: number, sessions: number): WirePattern {
  return { kind: "type", topicType: topicOf(index, sessions), agentType: `crowd.${index % sessions}` };
}

function prefixPattern(index: number): WirePattern {
  return { kind: "prefix", topicTypePrefix: prefixOf(index), agentType: `crowd.${index}` };
}

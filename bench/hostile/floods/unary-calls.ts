import { gzipSync } from "node:zlib";
import {
  emptyMessage,
  encodeAddSubscriptionRequest,
  encodeRegisterAgentRequest,
  type WirePattern,
} from "troupe/protocol";
import type { AttackConnection } from "../attack-connection.ts";
import { callHeaders, field, message, numberStreams, setStream, unaryCall } from "../bytes.ts";
import type { Crowd } from "../crowd.ts";

const framesOfCall = 2;

/** Calls in one write. */
const mostInWrite = 200;

/** Makes calls on a connection, `inFlight` of them at a time, until `calls` have run out or the connection is gone. */
export async function makeCalls(
  crowd: Crowd,
  connection: AttackConnection,
  { calls, inFlight }: { readonly calls: Iterable<Buffer>; readonly inFlight: number },
): Promise<void> {
  const answersBefore = connection.answers;
  let sent = 0;
  let lot: Buffer[] = [];
  const isHeld = () => sent - (connection.answers - answersBefore) >= inFlight;
  const flush = () => {
    if (lot.length > 0) connection.write(Buffer.concat(lot));
    lot = [];
  };
  for (const call of calls) {
    if (isHeld() || lot.length === mostInWrite) flush();
    while (!connection.isGone && isHeld()) await connection.drained();
    if (connection.isGone || crowd.isOver) return;
    lot.push(setStream(call, connection.takeStream()));
    sent += 1;
    crowd.noteSent(1);
  }
  flush();
  while (!connection.isGone && connection.answers - answersBefore < sent) await connection.drained();
}

/** Makes `count` subscriptions as a client without a channel, on a connection of their own unless one is given. */
export async function subscribe(
  crowd: Crowd,
  { clientId, count, pattern, connection }: SubscribeOptions,
): Promise<void> {
  const headers = callHeaders("AddSubscription", { clientId });
  function* calls(): Iterable<Buffer> {
    for (let number = 0; number < count; number += 1) {
      const request = encodeAddSubscriptionRequest({ id: `${clientId}-${number}`, pattern: pattern(number) });
      yield unaryCall(headers, message(request));
    }
  }
  await makeCalls(crowd, connection ?? (await crowd.open()), { calls: calls(), inFlight: 200 });
}

interface SubscribeOptions {
  readonly clientId: string;
  readonly count: number;
  readonly pattern: (number: number) => WirePattern;
  readonly connection?: AttackConnection;
}

const listingsAtOnce = 900;
const listedSubscriptions = 20_000;

/** Fills the host with subscriptions that a listing then gives. */
export function fillWithSubscriptions(crowd: Crowd): Promise<void> {
  return subscribe(crowd, {
    clientId: "lister",
    count: listedSubscriptions,
    pattern: (number) => ({ kind: "type", topicType: `topic.${number}`, agentType: "listed" }),
  });
}

/** 900 GetSubscriptions in one write. The attackers do not read the answers. */
export function listAtOnce(crowd: Crowd): void {
  const call = unaryCall(callHeaders("GetSubscriptions", { clientId: "lister" }), message(emptyMessage));
  const burst = Buffer.concat(Array.from({ length: listingsAtOnce }, () => call));
  crowd.keep(
    1,
    (connection) => {
      connection.nextStream = numberStreams(burst, connection.nextStream, framesOfCall);
      connection.write(Buffer.from(burst));
      crowd.noteSent(listingsAtOnce);
    },
    { takesAll: false },
  );
}

/** 4 KiB that inflate to 4 MiB: the name of an agent type that the host refuses as too long. */
export function bomb(): Buffer {
  return gzipSync(field(1, Buffer.alloc(4 * 1024 * 1024, 0x61)), { level: 9 });
}

/** Unary calls whose request is a bomb. */
export function bombCalls(connections: number, inFlight: number): (crowd: Crowd) => void {
  const call = unaryCall(callHeaders("RegisterAgent", { encoding: "gzip", clientId: "bomber" }), message(bomb(), true));
  return (crowd) =>
    crowd.keep(connections, (connection) => makeCalls(crowd, connection, { calls: again(call), inFlight }));
}

function* again(call: Buffer): Iterable<Buffer> {
  for (;;) yield Buffer.from(call);
}

/** Valid registrations without pause, each of a new type. */
export function registrations(connections: number, inFlight: number): (crowd: Crowd) => void {
  return (crowd) => {
    let lives = 0;
    crowd.keep(connections, (connection) => {
      lives += 1;
      return makeCalls(crowd, connection, { calls: newTypes(lives), inFlight });
    });
  };
}

function* newTypes(client: number): Iterable<Buffer> {
  const headers = callHeaders("RegisterAgent", { clientId: `registrar-${client}` });
  for (let number = 0; ; number += 1)
    yield unaryCall(headers, message(encodeRegisterAgentRequest(`type_${client}_${number}`)));
}

import { encodeAddSubscriptionRequest, encodeFrame, encodeRegisterAgentRequest } from "troupe/protocol";
import type { AttackConnection } from "../attack-connection.ts";
import { callHeaders, dataFrames, field, message, unaryCall } from "../bytes.ts";
import type { Crowd } from "../crowd.ts";
import { bomb, makeCalls, subscribe } from "./unary-calls.ts";

/** Opens a stream and returns its id. */
function openStream(
  connection: AttackConnection,
  method: string,
  options: { readonly clientId: string; readonly encoding?: string },
): number {
  const stream = connection.takeStream();
  connection.write(callHeaders(method, { ...options, stream }));
  return stream;
}

/** Data channels on which bombs come as fast as the host takes them. */
export function channelBombs(connections: number): (crowd: Crowd) => void {
  const messages = Buffer.concat(Array.from({ length: 8 }, () => message(bomb(), true)));
  return (crowd) =>
    crowd.keep(connections, async (connection, number) => {
      const stream = openStream(connection, "OpenChannel", { clientId: `bomber-${number}`, encoding: "gzip" });
      const frames = dataFrames(messages, stream);
      while (!crowd.isOver && (await connection.pour(frames, stream, messages.length))) crowd.noteSent(8);
    });
}

const payload = { typeName: "T", contentType: "application/json", data: Buffer.from("{}") };
const crowdWorkers = 2_000;
const workersEach = 500;

/** Workers that are all subscribed to the topic type `boom` and take what comes. */
export async function gatherWorkers(crowd: Crowd): Promise<void> {
  for (let first = 0; first < crowdWorkers; first += workersEach) {
    const connection = await crowd.open();
    const ids = Array.from({ length: workersEach }, (_, at) => `crowd-${first + at}`);
    for (const clientId of ids) openStream(connection, "OpenChannel", { clientId });
    await makeCalls(crowd, connection, {
      calls: ids.flatMap((id) => [registration(id), subscription(id)]),
      inFlight: 100,
    });
  }
}

function registration(clientId: string): Buffer {
  return unaryCall(callHeaders("RegisterAgent", { clientId }), message(encodeRegisterAgentRequest(clientId)));
}

function subscription(clientId: string): Buffer {
  const pattern = { kind: "type", topicType: "boom", agentType: clientId } as const;
  const request = encodeAddSubscriptionRequest({ id: clientId, pattern });
  return unaryCall(callHeaders("AddSubscription", { clientId }), message(request));
}

/** One chunk of 64 KiB of events, each for 2,000 workers; another one when the host has taken it. */
export function publishToAll(crowd: Crowd): void {
  const event = message(
    encodeFrame({
      kind: "event",
      event: { id: "E", topicType: "boom", topicSource: "s", sender: undefined, payload, attributes: {} },
    }),
  );
  const count = Math.floor(65_536 / event.length);
  const chunk = Buffer.concat(Array.from({ length: count }, () => event));
  crowd.keep(1, async (connection) => {
    const stream = openStream(connection, "OpenChannel", { clientId: "publisher" });
    const frames = dataFrames(chunk, stream);
    while (!crowd.isOver && (await connection.pour(frames, stream, chunk.length))) crowd.noteSent(count);
  });
}

const askers = 100;
/** The host's own bound for one asker. */
const waitsEach = 1_000;

/** Control channels with 1,000 requests each that wait for an answer: one connection has 100 of them, ends, and comes back. */
export function controlWaits(crowd: Crowd): void {
  crowd.keep(1, async (connection) => {
    openStream(connection, "OpenControlChannel", { clientId: "silent" });
    for (let asker = 0; asker < askers && !connection.isGone; asker += 1) {
      const clientId = `asker-${asker}`;
      const stream = openStream(connection, "OpenControlChannel", { clientId });
      const requests = Buffer.concat(
        Array.from({ length: waitsEach }, (_, at) => message(stateRequest(`${at}`, clientId))),
      );
      await connection.pour(dataFrames(requests, stream), stream, requests.length);
      crowd.noteSent(waitsEach);
    }
    // The answer says that the host has read all that came before.
    const call = registration("control-done");
    await makeCalls(crowd, connection, { calls: [call], inFlight: 1 });
    connection.destroy();
  });
}

function stateRequest(rpcId: string, asker: string): Buffer {
  const agentId = field(1, Buffer.concat([field(1, "a"), field(2, "k")]));
  const body = Buffer.concat([field(1, "type.googleapis.com/agents.SaveStateRequest"), field(2, agentId)]);
  return Buffer.concat([field(1, rpcId), field(2, "clientid=silent"), field(3, `clientid=${asker}`), field(4, body)]);
}

/** Subscriptions to all topics for types that no worker serves, of many clients. */
export async function subscribeToAll(
  crowd: Crowd,
  { clients, each }: { readonly clients: number; readonly each: number },
) {
  for (let client = 0; client < clients; client += 1) {
    await subscribe(crowd, {
      clientId: `ghost-${client}`,
      count: each,
      pattern: (number) => ({ kind: "prefix", topicTypePrefix: "", agentType: `ghost_${client}_${number}` }),
    });
  }
}

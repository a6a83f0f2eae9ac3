import { encodeFrame, encodeRegisterAgentRequest } from "troupe/protocol";
import { callHeaders, dataFrames, field, message, unaryCall } from "../bytes.ts";
import type { Crowd } from "../crowd.ts";
import { makeCalls } from "./unary-calls.ts";

const chunkBytes = 65_536;
const states = "/troupe.v1.States/OpenStates";
const announced = [
  ["agtroupe", "1"],
  ["agcaps", "states"],
] as const;

/** Streams of states of workers that ask as fast as the host takes it: `asks` makes the messages for an agent type. */
function stateAsks(connections: number, asks: (agentType: string) => readonly Buffer[]): (crowd: Crowd) => void {
  return (crowd) =>
    crowd.keep(connections, async (connection, number) => {
      const clientId = `state-asker-${number}`;
      connection.write(callHeaders("OpenChannel", { clientId, more: announced, stream: connection.takeStream() }));
      const headers = callHeaders("RegisterAgent", { clientId });
      const call = unaryCall(headers, message(encodeRegisterAgentRequest(clientId)));
      await makeCalls(crowd, connection, { calls: [call], inFlight: 1 });
      const lot = Buffer.concat(asks(clientId));
      const count = Math.ceil(chunkBytes / lot.length);
      const chunk = Buffer.concat(Array.from({ length: count }, () => lot));
      const stream = connection.takeStream();
      connection.write(callHeaders("", { clientId, path: states, stream }));
      const frames = dataFrames(chunk, stream);
      while (!crowd.isOver && (await connection.pour(frames, stream, chunk.length))) crowd.noteSent(count);
    });
}

/** Loads and small commits of 50 agents, all under one number. */
export function loadsAndCommits(connections: number): (crowd: Crowd) => void {
  return stateAsks(connections, (agentType) =>
    Array.from({ length: 50 }, (_, at) => [
      message(load(agentType, `${at}`)),
      message(commit(agentType, `${at}`, [])),
    ]).flat(),
  );
}

/** Commits with 1,000 events each for no subscriber. */
export function commitsOfEvents(connections: number): (crowd: Crowd) => void {
  const payload = { typeName: "T", contentType: "application/json", data: Buffer.from("{}") };
  const attributes = { topicType: "unheard", topicSource: "s", sender: undefined, payload, attributes: {} };
  const event = encodeFrame({ kind: "event", event: { id: "E", ...attributes } });
  const events = Array.from({ length: 1_000 }, () => event);
  return stateAsks(connections, (agentType) => [message(commit(agentType, "a", events))]);
}

const numbered = Buffer.of(0x08, 1);

function agent(type: string, key: string): Buffer {
  return field(2, Buffer.concat([field(1, type), field(2, key)]));
}

function load(agentType: string, key: string): Buffer {
  return field(1, Buffer.concat([numbered, agent(agentType, key)]));
}

/** Puts 100 bytes, whatever is stored. */
function commit(agentType: string, key: string, events: readonly Uint8Array[]): Buffer {
  const put = field(5, Buffer.concat([numbered, field(2, "x/y"), field(3, Buffer.alloc(100))]));
  const riding = events.map((event) => field(9, event));
  return field(2, Buffer.concat([numbered, agent(agentType, key), put, ...riding, Buffer.of(0x70, 1)]));
}

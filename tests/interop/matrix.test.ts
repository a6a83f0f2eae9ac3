import { GrpcWorkerAgentRuntimeHost } from "troupe/grpc";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Opened } from "../support/opened.ts";
import {
  type Column,
  columns,
  type Mark,
  participantNames,
  rowName,
  type World,
  worldName,
  worlds,
} from "./support/matrix.ts";
import {
  type Encoding,
  jsonMessage,
  knowsShortNames,
  type Outcome,
  type Participant,
  protobufMessage,
  startPythonParticipant,
  startTypeScriptParticipant,
} from "./support/participants.ts";
import { startPythonHost } from "./support/python-peers.ts";

/** Every cell of the interop matrix in docs/protocol.md §10 is one test here. */
for (const world of worlds) {
  const skipReason = [world.host, ...world.pythons].find((generation) => generation?.skipReason)?.skipReason;
  describe.skipIf(skipReason)(
    `${worldName(world)}${skipReason === undefined ? "" : ` [skipped: ${skipReason}]`}`,
    () => {
      const opened = new Opened();
      const participants = new Map<string, Participant>();

      beforeAll(async () => {
        const address = await startHost(world, opened);
        const starting = [
          ...(world.withTypeScript ? [startTypeScriptParticipant(address)] : []),
          ...world.pythons.map((generation) => startPythonParticipant(generation, address)),
        ];
        for (const participant of await Promise.all(starting))
          participants.set(participant.name, opened.use(participant));
      });
      afterAll(() => opened[Symbol.asyncDispose]());

      const names = participantNames(world);
      for (const from of names) {
        for (const to of names) {
          for (const column of columns) {
            test(`${column}, from ${from} to ${to}`, async ({ task }) => {
              const [sender, receiver] = [participants.get(from), participants.get(to)];
              if (sender === undefined || receiver === undefined) throw new Error("a participant is missing");
              const mark = await prove(column, sender, receiver);
              task.meta.matrixCell = { row: rowName(world, from, to), column, mark };
            });
          }
        }
      }
    },
  );
}

async function startHost(world: World, opened: Opened): Promise<string> {
  if (world.host !== undefined) {
    const { address, peer } = await startPythonHost(world.host);
    opened.use(peer);
    return address;
  }
  const host = opened.use(new GrpcWorkerAgentRuntimeHost("127.0.0.1:0"));
  await host.start();
  return host.address;
}

async function prove(column: Column, from: Participant, to: Participant): Promise<Mark> {
  switch (column) {
    case "Call, JSON":
      expect(await from.call("JSON", to, "grüße\n☎")).toEqual(jsonMessage("grüße\n☎"));
      return "yes";
    case "Call, protobuf":
      return proveProtobufCall(await from.call("protobuf", to, "hello"), from, to);
    case "Event, JSON":
      return proveEvent("JSON", from, to);
    case "Event, protobuf":
      return proveEvent("protobuf", from, to);
  }
}

function proveProtobufCall(outcome: Outcome, from: Participant, to: Participant): Mark {
  if (from.generation !== undefined) {
    expect(outcome).toMatchObject({
      error: expect.stringMatching(/^Unknown type .*StringValue with content type application\/json$/),
    });
    return "not sent";
  }
  // A Python agent can take protobuf, and answers in JSON.
  expect(outcome).toEqual(to.generation === undefined ? protobufMessage("hello") : jsonMessage("hello"));
  return "yes";
}

async function proveEvent(encoding: Encoding, from: Participant, to: Participant): Promise<Mark> {
  const text = `an event in ${encoding}`;
  await from.publish(encoding, to, text);
  const collected = await to.collected(encoding, from);
  const bothPython = from.generation !== undefined && to.generation !== undefined;
  if (encoding === "protobuf" && bothPython && knowsShortNames(from) !== knowsShortNames(to)) {
    expect(collected).toMatchObject({ type: "UnknownPayload" });
    return "unknown type";
  }
  expect(collected).toEqual(encoding === "JSON" ? jsonMessage(text) : protobufMessage(text));
  return "yes";
}

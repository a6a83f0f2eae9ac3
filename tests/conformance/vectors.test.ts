import { describe, expect, test } from "vitest";
import {
  asciiBytes,
  decodeAddSubscriptionRequest,
  decodeFrame,
  decodeRegisterAgentRequest,
  decodeRemoveSubscriptionRequest,
  encodeAddSubscriptionRequest,
  encodeFrame,
  encodeRegisterAgentRequest,
  encodeRemoveSubscriptionRequest,
  type PeekedFrame,
  peekFrame,
  requestIdBytes,
  withRequestId,
} from "../../src/protocol/index.ts";
import { decodeControl, encodeControl } from "../../src/protocol/internal.ts";
import { readJson, reencoded } from "./support/proto-json.ts";
import { bytesOf, hexOf } from "./support/python-wire.ts";
import { vectorFrames, vectorJson } from "./support/vector-meanings.ts";
import { printedVectors, vector, vectors } from "./support/vectors.ts";

const onTheChannel = vectors.filter(({ protoType }) => protoType === "agents.Message");
const control = vectors.filter(({ protoType }) => protoType === "agents.ControlMessage");
const calls = onTheChannel.filter(({ name }) => ["request", "response"].includes(vectorFrames[name]?.kind ?? ""));
const events = onTheChannel.filter(({ name }) => vectorFrames[name]?.kind === "event");

test("the tested vectors are those of protocol.md §9, and each has its decoded form", () => {
  expect(vectors.map(({ hex }) => hex)).toEqual(printedVectors());
  expect(Object.keys(vectorJson).sort()).toEqual(vectors.map(({ name }) => name).sort());
  expect(Object.keys(vectorFrames).sort()).toEqual(onTheChannel.map(({ name }) => name).sort());
});

describe("the generated code", () => {
  test.each(vectors)("reads $name and writes the same bytes again [§8.1]", ({ name, protoType, hex }) => {
    expect(readJson(protoType, bytesOf(hex))).toEqual(vectorJson[name]);
    expect(hexOf(reencoded(protoType, bytesOf(hex)))).toBe(hex);
  });
});

describe("the frame codec", () => {
  test.each(onTheChannel)("reads $name [§8.1]", ({ name, hex }) => {
    expect(decodeFrame(bytesOf(hex))).toEqual(vectorFrames[name]);
  });

  const exact = onTheChannel.filter((one) => !events.includes(one));
  test.each(exact)("writes $name byte for byte [§8.1]", ({ name, hex }) => {
    expect(hexOf(encodeFrame(frameOf(name)))).toBe(hex);
  });

  test.each(events.filter(({ name }) => name.startsWith("Python")))(
    "writes $name with the same fields [§8.1]",
    ({ name, hex }) => {
      const own = encodeFrame(frameOf(name));
      expect(own).toHaveLength(bytesOf(hex).length);
      expect(readJson("agents.Message", own)).toEqual(vectorJson[name]);
    },
  );

  test.each(events.filter(({ name }) => name.startsWith(".NET")))(
    "writes $name as Python would have published it [§8.1]",
    ({ name }) => {
      const event = eventJson(readJson("agents.Message", encodeFrame(frameOf(name))));
      const original = eventJson(vectorJson[name]);
      expect(event).toEqual({
        ...original,
        spec_version: "1.0",
        attributes: {
          ...eventJson(original.attributes),
          agagentsendertype: { ce_string: "unknown" },
          agagentsenderkey: { ce_string: "unknown" },
        },
      });
    },
  );
});

describe("the host's peek", () => {
  test.each(calls)(
    "finds the routing fields of $name, and gives it another request id and its own again [§8.1]",
    ({ name, hex }) => {
      const frame = frameOf(name);
      const peeked = callIn(peekFrame(bytesOf(hex)));
      if (frame.kind === "request" && peeked.kind === "request") {
        expect([peeked.targetType, peeked.targetKey]).toEqual([frame.target?.type, frame.target?.key]);
      }
      const changed = Uint8Array.from(withRequestId(peeked, asciiBytes("a-rather-longer-id-of-the-host")));
      expect(decodeFrame(changed)).toEqual({ ...frame, requestId: "a-rather-longer-id-of-the-host" });
      const restored = withRequestId(callIn(peekFrame(changed)), requestIdBytes(peeked));
      expect(hexOf(restored)).toBe(hex);
    },
  );

  test.each(events)("finds the topic of $name and keeps its bytes [§8.1]", ({ name, hex }) => {
    const bytes = bytesOf(hex);
    const peeked = peekFrame(bytes);
    if (peeked.kind !== "event") throw new Error(`peeked as ${peeked.kind}`);
    expect(peeked.bytes).toBe(bytes);
    expect([peeked.topicType, peeked.hasProtoData]).toEqual(["t", name.startsWith(".NET")]);
  });

  const legacy = onTheChannel.filter(({ generations }) => !generations.includes(2));
  test.each(legacy)("reads $name of generation 1 in full [§8.1]", ({ name, hex }) => {
    expect(peekFrame(bytesOf(hex))).toEqual(vectorFrames[name]);
  });
});

describe("the other codecs", () => {
  test("registration by unary calls is read and written byte for byte [§8.1]", () => {
    const { hex } = vector("RegisterAgentTypeRequest{echo}");
    expect(decodeRegisterAgentRequest(bytesOf(hex))).toBe("echo");
    expect(hexOf(encodeRegisterAgentRequest("echo"))).toBe(hex);
  });

  test.each([
    ["S1", "AddSubscriptionRequest{S1, type t→echo}", { kind: "type", topicType: "t", agentType: "echo" }],
    [
      "S2",
      "AddSubscriptionRequest{S2, prefix echo:→echo}",
      { kind: "prefix", topicTypePrefix: "echo:", agentType: "echo" },
    ],
  ] as const)("subscription %s by unary call is read and written byte for byte [§8.1]", (id, name, pattern) => {
    const { hex } = vector(name);
    expect(decodeAddSubscriptionRequest(bytesOf(hex))).toEqual({ id, pattern });
    expect(hexOf(encodeAddSubscriptionRequest({ id, pattern }))).toBe(hex);
  });

  test("the removal of a subscription is read and written byte for byte [§8.1]", () => {
    const { hex } = vector("RemoveSubscriptionRequest{S1}");
    expect(decodeRemoveSubscriptionRequest(bytesOf(hex))).toBe("S1");
    expect(hexOf(encodeRemoveSubscriptionRequest("S1"))).toBe(hex);
  });

  test.each(control)("$name is read and written byte for byte [§8.1]", ({ hex }) => {
    const envelope = decodeControl(bytesOf(hex));
    expect(envelope.rpcId).toBe("7");
    expect(envelope.body?.kind).toMatch(/^save-(request|response)$/);
    expect(hexOf(encodeControl(envelope))).toBe(hex);
  });

  test("an answer on the control channel differs from a request by a present and empty return address", () => {
    const [request, answer] = control.map(({ hex }) => decodeControl(bytesOf(hex)));
    expect(request?.respondTo).toBe("clientid=C1");
    expect(answer?.respondTo).toBe("");
    expect(answer?.body).toEqual({ kind: "save-response", state: '{"n":1}', error: undefined });
  });
});

test("a subscription of generation 1 has another meaning in the later shape, so it is never read as one", () => {
  const whole = bytesOf(vector("gen1 Message.addSubscriptionRequest{2, prefix echo:→echo}").hex);
  const subscriptionOnly = whole.subarray(whole.length - 15);
  expect(readJson("agents.ChannelSubscription", subscriptionOnly)).toHaveProperty("typePrefixSubscription");
  expect(readJson("agents.Subscription", subscriptionOnly)).toEqual({
    typeSubscription: { topic_type: "echo:", agent_type: "echo" },
  });
});

function frameOf(name: string) {
  const frame = vectorFrames[name];
  if (frame === undefined) throw new Error(`no frame is written down for ${name}`);
  return frame;
}

function callIn(peeked: PeekedFrame) {
  if (peeked.kind !== "request" && peeked.kind !== "response") throw new Error(`peeked as ${peeked.kind}`);
  return peeked;
}

function eventJson(json: unknown): Record<string, unknown> {
  if (typeof json !== "object" || json === null) throw new Error("not an object");
  return "cloudEvent" in json ? eventJson(json.cloudEvent) : { ...json };
}

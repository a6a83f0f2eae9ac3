import { describe, expect, test } from "vitest";
import {
  asciiBytes,
  decodeAddSubscriptionRequest,
  decodeFrame,
  decodeGetSubscriptionsResponse,
  decodeRegisterAgentRequest,
  decodeRemoveSubscriptionRequest,
  emptyMessage,
  encodeAddSubscriptionRequest,
  encodeFrame,
  encodeGetSubscriptionsResponse,
  encodeRegisterAgentRequest,
  encodeRemoveSubscriptionRequest,
  peekFrame,
  requestIdBytes,
  requestIdText,
  withRequestId,
} from "../../src/protocol/index.ts";
import { readJson, reencoded } from "./support/proto-json.ts";
import { bytesOf, type CapturedMessage, hexOf, pythonWire } from "./support/python-wire.ts";

interface Case {
  readonly title: string;
  readonly message: CapturedMessage;
}

const cases: readonly Case[] = pythonWire.messages.map((message, index) => ({
  title: `${index}: ${message.description}`,
  message,
}));
const onTheChannel = cases.filter(({ message }) => message.protoType === "agents.Message");
const frameKind = ({ message }: Case) => decodeFrame(bytesOf(message.hex)).kind;
const calls = onTheChannel.filter((one) => frameKind(one) === "request" || frameKind(one) === "response");
const events = onTheChannel.filter((one) => frameKind(one) === "event");

/** Reads with our codec and writes again what was read, for each type that travels in a unary call. */
const unaryCodecs: Readonly<Record<string, (bytes: Uint8Array) => Uint8Array>> = {
  "agents.RegisterAgentTypeRequest": (bytes) => encodeRegisterAgentRequest(decodeRegisterAgentRequest(bytes)),
  "agents.RegisterAgentTypeResponse": () => emptyMessage,
  "agents.AddSubscriptionRequest": (bytes) => encodeAddSubscriptionRequest(decodeAddSubscriptionRequest(bytes)),
  "agents.AddSubscriptionResponse": () => emptyMessage,
  "agents.RemoveSubscriptionRequest": (bytes) =>
    encodeRemoveSubscriptionRequest(decodeRemoveSubscriptionRequest(bytes)),
  "agents.RemoveSubscriptionResponse": () => emptyMessage,
  "agents.GetSubscriptionsRequest": () => emptyMessage,
  "agents.GetSubscriptionsResponse": (bytes) => encodeGetSubscriptionsResponse(decodeGetSubscriptionsResponse(bytes)),
};

test("the capture has calls, answers, failures and events of both content types", () => {
  expect(pythonWire.messages).toHaveLength(64);
  expect(calls).toHaveLength(24);
  expect(events).toHaveLength(10);
  expect(new Set(events.map(({ message }) => peekedEvent(message).hasProtoData))).toEqual(new Set([true, false]));
});

describe("the generated code reads a captured message as Python did, and writes the same bytes again", () => {
  test.each(cases)("$title [§8.1]", ({ message: { protoType, hex, decoded } }) => {
    expect(readJson(protoType, bytesOf(hex))).toEqual(decoded);
    expect(hexOf(reencoded(protoType, bytesOf(hex)))).toBe(hex);
  });
});

describe("our codec of unary calls writes a captured message byte for byte", () => {
  const unary = cases.filter((one) => !onTheChannel.includes(one));
  test.each(unary)("$title [§8.1]", ({ message: { protoType, hex } }) => {
    expect(hexOf(unaryCodecs[protoType]?.(bytesOf(hex)) ?? new Uint8Array([0]))).toBe(hex);
  });
});

describe("our frame codec writes a captured call or answer byte for byte", () => {
  test.each(calls)("$title [§8.1]", ({ message: { hex } }) => {
    expect(hexOf(encodeFrame(decodeFrame(bytesOf(hex))))).toBe(hex);
  });
});

describe("our frame codec writes a captured event with the same fields and no others", () => {
  test.each(events)("$title [§8.1]", ({ message: { hex, decoded } }) => {
    const own = encodeFrame(decodeFrame(bytesOf(hex)));
    expect(own).toHaveLength(hex.length / 2);
    expect(readJson("agents.Message", own)).toEqual(decoded);
  });
});

describe("the host's peek at a captured message", () => {
  test.each(calls)("replaces its request id and restores it, $title", ({ message: { hex } }) => {
    const bytes = bytesOf(hex);
    const peeked = peekFrame(bytes);
    if (peeked.kind !== "request" && peeked.kind !== "response") throw new Error(`peeked as ${peeked.kind}`);
    const changed = peekFrame(withRequestId(peeked, asciiBytes("host-4711")));
    if (changed.kind !== peeked.kind) throw new Error(`peeked as ${changed.kind}`);
    expect(requestIdText(changed)).toBe("host-4711");
    expect(hexOf(withRequestId(changed, requestIdBytes(peeked)))).toBe(hex);
  });

  test.each(events)("finds its topic and keeps its bytes, $title", ({ message }) => {
    const peeked = peekedEvent(message);
    expect(hexOf(peeked.bytes)).toBe(message.hex);
    expect(message.decoded).toMatchObject({ cloudEvent: { type: peeked.topicType } });
  });
});

function peekedEvent({ hex }: CapturedMessage) {
  const peeked = peekFrame(bytesOf(hex));
  if (peeked.kind !== "event") throw new Error(`peeked as ${peeked.kind}`);
  return peeked;
}

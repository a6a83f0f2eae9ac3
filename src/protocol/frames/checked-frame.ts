import { assertObject, assertText, wrongValue } from "../../core/internal.ts";
import type { ClaimedAgent, Frame, WireAgentId, WirePattern, WirePayload } from "./frame.ts";
import { encodeFrame as encodeUnchecked } from "./frame-codec.ts";
import { areShort, mostAddressChars, mostAddressesOfNotice } from "./lease-notices.ts";
import { mostAgentsOfNotice } from "./leaving-notices.ts";

/**
 * Encodes one message of the data channel. Throws `invalid-argument` for a field that is missing or of a wrong kind, and
 * `invalid-message` for text that is not valid Unicode.
 */
// For users. Runtimes and hosts call the encoder itself: the compiler has checked their frames. A valid frame costs a few comparisons.
export function encodeFrame(frame: Frame): Uint8Array {
  assertFrame(frame);
  return encodeUnchecked(frame);
}

function assertFrame(frame: Frame): void {
  assertObject(frame, "A frame, { kind, … },");
  const { kind } = frame;
  switch (kind) {
    case "request":
      assertText(frame.requestId, "The requestId of a request frame");
      assertId(frame.source, "The source of a request frame");
      assertId(frame.target, "The target of a request frame");
      assertPayload(frame.payload, "payload of a request frame");
      assertTexts(frame.metadata, "The metadata of a request frame");
      return;
    case "response":
      assertText(frame.requestId, "The requestId of a response frame");
      assertPayload(frame.payload, "payload of a response frame");
      assertText(frame.error, "The error of a response frame (empty: none)");
      assertTexts(frame.metadata, "The metadata of a response frame");
      return;
    case "event": {
      const { event } = frame;
      assertObject(event, "The event of an event frame");
      assertText(event.id, "The id of an event");
      assertText(event.topicType, "The topicType of an event");
      assertText(event.topicSource, "The topicSource of an event");
      assertId(event.sender, "The sender of an event");
      assertObject(event.payload, "The payload of an event");
      assertPayload(event.payload, "payload of an event");
      assertTexts(event.attributes, "The attributes of an event");
      return;
    }
    case "register-type":
      assertText(frame.requestId, "The requestId of a register-type frame");
      assertText(frame.agentType, "The agentType of a register-type frame");
      return;
    case "subscribe":
      assertText(frame.requestId, "The requestId of a subscribe frame");
      assertPattern(frame.pattern);
      return;
    case "ack":
      assertText(frame.requestId, "The requestId of an ack frame");
      if (typeof frame.success !== "boolean") {
        throw wrongValue("The success of an ack frame must be true or false", frame.success);
      }
      if (frame.error !== undefined) assertText(frame.error, "The error of an ack frame");
      return;
    case "cancel":
      assertText(frame.requestId, "The requestId of a cancel frame");
      assertText(frame.reason, "The reason of a cancel frame");
      return;
    case "leaving":
      assertUint32(frame.graceMs, "The graceMs of a leaving frame");
      return assertAddresses(frame.addresses ?? [], kind);
    case "stuck":
      assertText(frame.requestId, "The requestId of a stuck frame");
      assertText(frame.path, "The path of a stuck frame");
      for (const token of frame.behind) assertText(token, "A token of a stuck frame");
      return;
    case "unstuck":
      assertText(frame.requestId, "The requestId of an unstuck frame");
      return;
    case "chunk":
      for (const name of ["requestId", "typeName", "contentType"] as const)
        assertText(frame[name], `The ${name} of a chunk frame`);
      assertCount(frame.offset, "The offset of a chunk frame");
      if (frame.data instanceof Uint8Array) return;
      throw wrongValue("The data of a chunk frame must be bytes, a Uint8Array", frame.data);
    case "credit":
      assertText(frame.requestId, "The requestId of a credit frame");
      return assertCount(frame.bytes, "The bytes of a credit frame");
    case "heartbeat":
      assertUint32(frame.seq, "The seq of a heartbeat frame");
      assertUint32(frame.leaseMs, "The leaseMs of a heartbeat frame");
      if (typeof frame.isAnswer !== "boolean") {
        throw wrongValue("The isAnswer of a heartbeat frame must be true or false", frame.isAnswer);
      }
      return;
    case "leave":
    case "ask-leave":
    case "returned":
      assertText(frame.reason, `The reason of a ${kind} frame`);
      if (kind === "leave") assertUint32(frame.graceMs, "The graceMs of a leave frame");
      if (kind === "returned" && !(frame.message instanceof Uint8Array)) {
        throw wrongValue("The message of a returned frame must be bytes, a Uint8Array", frame.message);
      }
      return assertAgents(frame.agents, kind);
    case "left":
    case "stay":
    case "holds":
      return assertAgents(frame.agents, kind);
    case "leaving-worker":
    case "drain":
      return assertUint32(frame.graceMs, `The graceMs of a ${kind} frame`);
    case "hosts":
      return assertAddresses(frame.addresses, kind);
    case "void":
    case "moving":
    case "last":
    case "empty":
      return;
    default: {
      const known =
        "request, response, event, register-type, subscribe, ack, cancel, leaving, stuck, unstuck, chunk, credit, heartbeat, " +
        "leave, ask-leave, returned, left, stay, leaving-worker, drain, holds, void, hosts, moving, last";
      throw wrongValue(`The kind of a frame must be ${known} or empty`, kind satisfies never);
    }
  }
}

function assertCount(value: number, what: string): void {
  if (Number.isSafeInteger(value) && value >= 0) return;
  throw wrongValue(`${what} must be a whole number of at least 0`, value);
}

function assertUint32(value: number, what: string): void {
  if (Number.isSafeInteger(value) && value >= 0 && value < 2 ** 32) return;
  throw wrongValue(`${what} must be a whole number below 2^32`, value);
}

function assertAddresses(addresses: readonly string[], kind: string): void {
  if (!Array.isArray(addresses)) throw wrongValue(`The addresses of a ${kind} frame must be an array`, addresses);
  for (const address of addresses) assertText(address, `An address of a ${kind} frame`);
  if (areShort(addresses)) return;
  const most = `${mostAddressesOfNotice} addresses of ${mostAddressChars} characters`;
  throw wrongValue(`A ${kind} frame may have at most ${most}`, addresses.length);
}

function assertAgents(agents: readonly ClaimedAgent[], kind: string): void {
  if (!Array.isArray(agents)) throw wrongValue(`The agents of a ${kind} frame must be an array`, agents);
  if (agents.length > mostAgentsOfNotice) {
    throw wrongValue(`A ${kind} frame may have at most ${mostAgentsOfNotice} agents`, agents.length);
  }
  for (const agent of agents) {
    assertId(agent, `An agent of a ${kind} frame`);
    assertObject(agent.epoch, `The epoch of an agent of a ${kind} frame`);
    for (const name of ["generation", "era", "number"] as const) {
      const value = agent.epoch[name];
      const isWhole = Number.isSafeInteger(value) && value >= 0 && (name !== "era" || value < 2 ** 32);
      if (!isWhole) throw wrongValue(`The ${name} in the epoch of a ${kind} frame must be a whole number`, value);
    }
  }
}

function assertId(id: WireAgentId | undefined, what: string): void {
  if (id === undefined || (typeof id?.type === "string" && typeof id.key === "string")) return;
  assertObject(id, `${what}, { type, key },`);
  assertText(id.type, `${what}: its type`);
  assertText(id.key, `${what}: its key`);
}

function assertPayload(payload: WirePayload | undefined, where: string): void {
  if (payload === undefined || isPayload(payload)) return;
  assertObject(payload, `The ${where}, { typeName, contentType, data },`);
  assertText(payload.typeName, `The typeName in the ${where}`);
  assertText(payload.contentType, `The contentType in the ${where}`);
  throw wrongValue(`The data in the ${where} must be bytes, a Uint8Array`, payload.data);
}

function isPayload(payload: WirePayload): boolean {
  if (typeof payload?.typeName !== "string" || typeof payload.contentType !== "string") return false;
  return payload.data instanceof Uint8Array;
}

/** Metadata must be there, even if it is empty. An undefined value counts as an empty text. */
function assertTexts(texts: Readonly<Record<string, unknown>>, what: string): void {
  assertObject(texts, what);
  for (const name in texts) {
    const value = texts[name];
    if (value !== undefined && typeof value !== "string") assertText(value, `${what}: ${JSON.stringify(name)}`);
  }
}

/** Checks the pattern of a subscription. */
export function assertPattern(pattern: WirePattern | undefined): void {
  if (pattern === undefined) return;
  assertObject(pattern, "The pattern of a subscription");
  if (pattern.kind !== "type" && pattern.kind !== "prefix") {
    const { kind }: { readonly kind?: unknown } = pattern;
    throw wrongValue('The kind of a pattern must be "type" or "prefix"', kind);
  }
  assertText(pattern.agentType, "The agentType of a pattern");
  if (pattern.kind === "type") assertText(pattern.topicType, "The topicType of a pattern");
  else assertText(pattern.topicTypePrefix, "The topicTypePrefix of a pattern");
}

import assert from "node:assert/strict";
import { AnySchema } from "@bufbuild/protobuf/wkt";
import { TroupeError } from "../../src/core/index.ts";
import { fromBinary } from "../../src/protocol/frames/from-binary.ts";
import { decodeFrameGenerated } from "../../src/protocol/frames/generated-codec.ts";
import { decodeQuickly } from "../../src/protocol/frames/quick-decoder.ts";
// The twins themselves are inside the room: users see the quick ones only.
import { type Message, MessageSchema } from "../../src/protocol/gen/agent_worker_pb.ts";
import {
  decodeAddSubscriptionRequest,
  decodeFrame,
  decodeRegisterAgentRequest,
  decodeRemoveSubscriptionRequest,
  type Frame,
  type PeekedChunk,
  type PeekedRequest,
  type PeekedResponse,
  peekFrame,
  requestIdBytes,
  requestIdText,
  withRequestId,
} from "../../src/protocol/index.ts";
import {
  decodeAgentId,
  decodeControl,
  decodeStoredState,
  joinFrame,
  readFrameHead,
  spliceChunk,
} from "../../src/protocol/internal.ts";

const otherDecoders = [
  decodeControl,
  decodeAddSubscriptionRequest,
  decodeAgentId,
  decodeRegisterAgentRequest,
  decodeRemoveSubscriptionRequest,
  decodeStoredState,
];

/** Holds everything that reads frames against the generated code. Throws at the first disagreement, or what a reader threw. */
export function checkFrame(bytes: Uint8Array): void {
  const before = Uint8Array.from(bytes);
  const message = generated(() => fromBinary(MessageSchema, bytes));
  const frame = generated(() => decodeFrameGenerated(bytes));
  checkDecoder(bytes, frame);
  checkPeek(bytes, message, frame);
  readFrameHead(bytes);
  for (const decode of otherDecoders) attempt(() => decode(bytes));
  assert.deepEqual(bytes, before, "a reader has changed its input");
}

/** The decoder of workers reads what the generated code does, and refuses what that refuses, by our own error. */
function checkDecoder(bytes: Uint8Array, frame: Frame | undefined): void {
  const quick = decodeQuickly(bytes);
  if (quick !== undefined) assert.deepEqual(plain(quick), plain(frame), "the quick decoder reads another frame");
  assert.deepEqual(plain(attempt(() => decodeFrame(bytes))), plain(frame), "decodeFrame reads another frame");
}

/** What the host reads off a frame is what the generated code reads; what it passes on, every worker can read. */
function checkPeek(bytes: Uint8Array, message: Message | undefined, frame: Frame | undefined): void {
  const peeked = peekFrame(bytes);
  if (frame === undefined || message === undefined) {
    assert.equal(peeked.kind, "bad", "a frame that can't be parsed is routed");
    return;
  }
  assert.equal(peeked.kind, frame.kind, "the frame is taken for another kind");
  switch (peeked.kind) {
    case "request":
    case "response":
      assert.deepEqual(routingOfPeek(peeked), routingOf(message), "the call is routed in another way");
      checkPassedOn(peeked.bytes, frame);
      checkRenaming(peeked, frame);
      return;
    case "event":
      assert.deepEqual(
        { topicType: peeked.topicType, hasProtoData: peeked.hasProtoData },
        routingOf(message),
        "the event is routed in another way",
      );
      checkPassedOn(peeked.bytes, frame);
      return;
    case "chunk":
      checkPassedOn(peeked.bytes, frame);
      checkChunk(peeked, frame);
      return;
    default:
      assert.deepEqual(plain(peeked), plain(frame), "the frame says something else");
  }
}

function checkPassedOn(passedOn: Uint8Array, frame: Frame): void {
  assert.deepEqual(plain(decodeFrameGenerated(passedOn)), plain(frame), "the frame is not passed on as it was");
}

function checkChunk(peeked: PeekedChunk, frame: Frame): void {
  assert(frame.kind === "chunk");
  assert.equal(peeked.dataBytes, frame.data.length, "the chunk counts another length");
  const renamed = joinFrame(spliceChunk(peeked, new TextEncoder().encode("host-1")));
  assert.deepEqual(plain(decodeFrame(renamed)), plain({ ...frame, requestId: "host-1" }), "a new id changes more");
}

function checkRenaming(peeked: PeekedRequest | PeekedResponse, frame: Frame): void {
  const renamed = withRequestId(peeked, new TextEncoder().encode("host-1"));
  assert.deepEqual(plain(decodeFrame(renamed)), plain({ ...frame, requestId: "host-1" }), "a new id changes more");
  const again = peekFrame(renamed);
  assert(again.kind === "request" || again.kind === "response");
  const back = decodeFrame(withRequestId(again, requestIdBytes(peeked)));
  assert.deepEqual(plain(back), plain(frame), "the id does not come back");
}

function routingOfPeek(peeked: PeekedRequest | PeekedResponse): object {
  const requestId = requestIdText(peeked);
  if (peeked.kind === "response") return { requestId };
  const { targetType, targetKey, timeoutMs } = peeked;
  return { requestId, targetType, targetKey, timeoutMs };
}

function routingOf({ message }: Message): object {
  switch (message.case) {
    case "request": {
      const { requestId, target, metadata } = message.value;
      const own = metadata.agtimeoutms ?? "";
      const timeoutMs = /^\d{1,15}$/.test(own) && Number(own) > 0 ? Number(own) : undefined;
      return { requestId, targetType: target?.type, targetKey: target?.key ?? "", timeoutMs };
    }
    case "response":
      return { requestId: message.value.requestId };
    case "cloudEvent":
      return { topicType: message.value.type, hasProtoData: message.value.data.case === "protoData" };
    default:
      return {};
  }
}

/** The data of events alone: that of calls is passed on byte for byte. */
function isEventData(value: object): value is { readonly payload: { readonly data: Uint8Array } } {
  return "topicType" in value && "payload" in value;
}

/** Undefined for what the generated code refuses, however it says so. */
function generated<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch {
    return undefined;
  }
}

/** Undefined for what is refused by our own error; any other error is a finding. */
function attempt<T>(decode: () => T): T | undefined {
  try {
    return decode();
  } catch (error) {
    if (error instanceof TroupeError && error.code === "invalid-message") return undefined;
    throw error;
  }
}

/**
 * Bytes as text, so that two views of the same bytes are equal; an `Any` by what it says, for it may be written in several
 * ways. Unknown fields don't count: a frame that is written anew loses them.
 */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return `bytes ${Buffer.from(value).toString("hex")}`;
  if (typeof value !== "object" || value === null) return value;
  const known = Object.entries(value).filter(([name]) => name !== "$unknown");
  const copy = Object.fromEntries(known.map(([name, inner]) => [name, plain(inner)]));
  if (!isEventData(value)) return copy;
  const { payload } = value;
  const any = generated(() => fromBinary(AnySchema, payload.data));
  return { ...copy, payload: plain({ ...payload, data: any ?? payload.data }) };
}

import { decodeFrame, encodeFrame } from "../../../src/protocol/index.ts";
import type { Offender } from "../../integration/poison/offender.ts";

/** A call of an agent that no worker serves, unless `target` says another. */
export function callFrame(
  requestId: string,
  {
    bytes = 0,
    target = "nobody",
    key = "k",
  }: { readonly bytes?: number; readonly target?: string; readonly key?: string } = {},
): Uint8Array {
  const payload = { typeName: "T", contentType: "application/json", data: Buffer.alloc(bytes, 0x20) };
  return encodeFrame({
    kind: "request",
    requestId,
    source: undefined,
    target: { type: target, key },
    payload,
    metadata: {},
  });
}

export function eventFrame(topicType: string, bytes: number): Uint8Array {
  const payload = { typeName: "T", contentType: "application/json", data: Buffer.alloc(bytes, 0x20) };
  return encodeFrame({
    kind: "event",
    event: { id: "E", topicType, topicSource: "s", sender: undefined, payload, attributes: {} },
  });
}

/** Reads an answer with an error. */
export function errorOf(bytes: Uint8Array): {
  readonly requestId: string;
  readonly error: string;
  readonly code: string;
} {
  const frame = decodeFrame(bytes);
  if (frame.kind !== "response") throw new Error(`expected an answer, got ${frame.kind}`);
  return { requestId: frame.requestId, error: frame.error, code: frame.metadata.agerrorcode ?? "" };
}

/** Resolves when all that the client has written has arrived: the host has answered a PING behind it. */
export function tellingFrames({ session }: Offender): Promise<void> {
  return new Promise((resolve, reject) => {
    session.ping((error) => (error === null ? resolve() : reject(error)));
  });
}

/** A legal call whose request id comes last: the fields of protobuf have no order. */
export function lateIdCall(requestId: string, targetType: string, bytes: number): Uint8Array {
  const target = field(3, Buffer.concat([field(1, Buffer.from(targetType)), field(2, Buffer.from("k"))]));
  const payload = field(5, field(3, Buffer.alloc(bytes, 0x61)));
  return field(1, Buffer.concat([target, payload, field(1, Buffer.from(requestId))]));
}

function field(number: number, value: Uint8Array): Buffer {
  const head = [(number << 3) | 2];
  let rest = value.length;
  for (; rest >= 0x80; rest >>>= 7) head.push((rest & 0x7f) | 0x80);
  return Buffer.concat([Buffer.of(...head, rest), value]);
}

import { TroupeError } from "../errors.ts";
import type { EncodedMessage } from "../serialization/codec-registry.ts";
import type { AgentName } from "../state/agent-name.ts";

/** A call as a store keeps it. */
export interface KeptCall {
  readonly requestId: string;
  /** Undefined: the sender is not an agent. */
  readonly sender: AgentName | undefined;
  readonly receiver: AgentName;
  readonly payload: EncodedMessage;
  readonly metadata: Readonly<Record<string, string>>;
}

// A store of a process can go to a host later, so that the bytes are those of the wire. `agents.Message` has `request` = 1, an
// `RpcRequest` (proto/agent_worker.proto). Core has no protobuf library; all of these fields are texts, bytes or messages.
const field = { request: 1, requestId: 1, source: 2, target: 3, payload: 5, metadata: 6 } as const;
const lengthDelimited = 2;

/** Encodes a call as it goes over the wire. */
export function encodeKeptCall({ requestId, sender, receiver, payload, metadata }: KeptCall): Uint8Array {
  const request = [
    ...textField(field.requestId, requestId),
    ...(sender === undefined ? [] : messageField(field.source, nameFields(sender))),
    ...messageField(field.target, nameFields(receiver)),
    ...messageField(field.payload, [
      ...textField(1, payload.typeName),
      ...textField(2, payload.contentType),
      ...bytesField(3, payload.data),
    ]),
    ...Object.entries(metadata).flatMap(([name, value]) =>
      messageField(field.metadata, [...textField(1, name), ...textField(2, value)]),
    ),
  ];
  return joined(messageField(field.request, request));
}

/** Decodes what `encodeKeptCall` made. Throws `invalid-message` for bytes that are no call. */
export function decodeKeptCall(frame: Uint8Array): KeptCall {
  const call = readFields(frame).get(field.request)?.at(-1);
  if (call === undefined) throw unreadable();
  const request = readFields(call);
  const [source, target, payload] = [field.source, field.target, field.payload].map((number) =>
    request.get(number)?.at(-1),
  );
  if (target === undefined || payload === undefined) throw unreadable();
  const payloadFields = readFields(payload);
  const metadata: Record<string, string> = Object.create(null);
  for (const entry of request.get(field.metadata) ?? []) {
    const [name, value] = textsIn(readFields(entry));
    metadata[name] = value;
  }
  const [typeName, contentType] = textsIn(payloadFields);
  return {
    requestId: textIn(request, field.requestId),
    sender: source && nameIn(source),
    receiver: nameIn(target),
    payload: { typeName, contentType, data: payloadFields.get(3)?.at(-1) ?? new Uint8Array() },
    metadata,
  };
}

type Parts = readonly Uint8Array[];
type Fields = ReadonlyMap<number, readonly Uint8Array[]>;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

function nameFields({ type, key }: AgentName): Parts {
  return [...textField(1, type), ...textField(2, key)];
}

function textField(number: number, text: string): Parts {
  return bytesField(number, encoder.encode(text));
}

/** An empty field stands for itself when it is left out. */
function bytesField(number: number, bytes: Uint8Array): Parts {
  return bytes.length === 0 ? [] : [head(number, bytes.length), bytes];
}

function messageField(number: number, parts: Parts): Parts {
  return [
    head(
      number,
      parts.reduce((sum, part) => sum + part.length, 0),
    ),
    ...parts,
  ];
}

function head(number: number, length: number): Uint8Array {
  const bytes = [(number << 3) | lengthDelimited];
  let left = length;
  for (; left > 0x7f; left = Math.floor(left / 128)) bytes.push((left % 128) | 0x80);
  bytes.push(left);
  return Uint8Array.from(bytes);
}

function joined(parts: Parts): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Reads the fields of a message, all of which have a length. */
function readFields(bytes: Uint8Array): Fields {
  const fields = new Map<number, Uint8Array[]>();
  let at = 0;
  const number = (): number => {
    let value = 0;
    for (let factor = 1; factor <= 2 ** 28; factor *= 128) {
      const byte = bytes[at++];
      if (byte === undefined) throw unreadable();
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
    throw unreadable();
  };
  while (at < bytes.length) {
    const tag = number();
    if (tag % 8 !== lengthDelimited) throw unreadable();
    const length = number();
    if (at + length > bytes.length) throw unreadable();
    const found = fields.get(Math.floor(tag / 8)) ?? [];
    fields.set(Math.floor(tag / 8), found);
    found.push(bytes.subarray(at, at + length));
    at += length;
  }
  return fields;
}

function textIn(fields: Fields, number: number): string {
  return decoder.decode(fields.get(number)?.at(-1));
}

function textsIn(fields: Fields): readonly [string, string] {
  return [textIn(fields, 1), textIn(fields, 2)];
}

function nameIn(bytes: Uint8Array): AgentName {
  const [type, key] = textsIn(readFields(bytes));
  return { type, key };
}

function unreadable(): TroupeError {
  return new TroupeError("invalid-message", "A kept message is damaged: its bytes are no call.");
}

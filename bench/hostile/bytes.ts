/** HTTP/2 (RFC 9113) and gRPC as bytes that attackers build before they attack, so that the attack costs them little. */

export const preface: Uint8Array = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

export const frameType = {
  data: 0,
  headers: 1,
  reset: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
} as const;

export const flag = { none: 0, endStream: 1, acknowledged: 1, endHeaders: 4 } as const;

/** Bytes before the payload of an HTTP/2 frame, and before a gRPC message. */
export const frameHeadBytes = 9;
export const messageHeadBytes = 5;

/** Largest payload of a frame that every server accepts. */
const mostPayloadBytes = 16_384;

export function frame(type: number, { flags = 0, stream = 0, payload = new Uint8Array(0) }: FrameParts = {}): Buffer {
  const bytes = Buffer.alloc(frameHeadBytes + payload.length);
  bytes.writeUIntBE(payload.length, 0, 3);
  bytes[3] = type;
  bytes[4] = flags;
  bytes.writeUInt32BE(stream, 5);
  bytes.set(payload, frameHeadBytes);
  return bytes;
}

interface FrameParts {
  readonly flags?: number;
  readonly stream?: number;
  readonly payload?: Uint8Array;
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** Settings as [identifier, value]. */
export function settingsFrame(settings: readonly (readonly [number, number])[] = []): Buffer {
  const payload = Buffer.concat(settings.map(([id, value]) => Buffer.concat([Buffer.of(0, id), uint32(value)])));
  return frame(frameType.settings, { payload });
}

/** HEADERS of a gRPC call, as HPACK literals that enter no table: the same bytes are right on every connection. */
export function callHeaders(
  method: string,
  { clientId = "", encoding = "", path, more = [], flags = flag.none, stream = 0 }: CallHeaderParts = {},
): Buffer {
  const headers = [
    [":method", "POST"],
    [":scheme", "http"],
    [":path", path ?? `/agents.AgentRpc/${method}`],
    [":authority", "host"],
    ["content-type", "application/grpc"],
    ["te", "trailers"],
    ...(clientId === "" ? [] : [["client-id", clientId]]),
    ...(encoding === "" ? [] : [["grpc-encoding", encoding]]),
    ...more,
  ];
  const block = headers.flatMap((pair) => [Buffer.of(0), ...pair.map(hpackText)]);
  return frame(frameType.headers, { flags: flags | flag.endHeaders, stream, payload: Buffer.concat(block) });
}

interface CallHeaderParts {
  readonly clientId?: string;
  readonly encoding?: string;
  /** In place of a method of `agents.AgentRpc`. */
  readonly path?: string;
  /** Further headers. */
  readonly more?: readonly (readonly [name: string, value: string])[];
  readonly flags?: number;
  readonly stream?: number;
}

/** A text of less than 127 bytes. */
function hpackText(text: string): Buffer {
  const bytes = Buffer.from(text, "latin1");
  return Buffer.concat([Buffer.of(bytes.length), bytes]);
}

/** A gRPC message behind its head. */
export function message(body: Uint8Array, isCompressed = false): Buffer {
  const bytes = Buffer.alloc(messageHeadBytes + body.length);
  bytes[0] = isCompressed ? 1 : 0;
  bytes.writeUInt32BE(body.length, 1);
  bytes.set(body, messageHeadBytes);
  return bytes;
}

/** A whole unary call. Its stream id is 0 until `setStream`. */
export function unaryCall(headers: Buffer, body: Uint8Array): Buffer {
  return Buffer.concat([headers, frame(frameType.data, { flags: flag.endStream, payload: body })]);
}

/** Bytes as DATA frames of `stream`, each with at most `payloadBytes`. */
export function dataFrames(bytes: Uint8Array, stream: number, payloadBytes = mostPayloadBytes): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += payloadBytes)
    parts.push(frame(frameType.data, { stream, payload: bytes.subarray(at, at + payloadBytes) }));
  return Buffer.concat(parts);
}

/** Writes a stream id into every frame of these bytes. */
export function setStream(frames: Buffer, stream: number): Buffer {
  for (let at = 0; at < frames.length; at += frameHeadBytes + frames.readUIntBE(at, 3))
    frames.writeUInt32BE(stream, at + 5);
  return frames;
}

/** Sets the stream ids of `frames`, one after another: `framesEach` frames with the first id, as many with the next. Returns the next free id. */
export function numberStreams(frames: Buffer, firstStream: number, framesEach: number): number {
  let stream = firstStream;
  let count = 0;
  for (let at = 0; at < frames.length; at += frameHeadBytes + frames.readUIntBE(at, 3)) {
    frames.writeUInt32BE(stream, at + 5);
    count += 1;
    if (count % framesEach === 0) stream += 2;
  }
  return stream;
}

/** A field of a protobuf message that holds a text or a message. */
export function field(number: number, value: string | Uint8Array): Buffer {
  const bytes = Buffer.from(value);
  const head = [(number << 3) | 2];
  let rest = bytes.length;
  for (; rest >= 0x80; rest >>>= 7) head.push((rest & 0x7f) | 0x80);
  return Buffer.concat([Buffer.of(...head, rest), bytes]);
}

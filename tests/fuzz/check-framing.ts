import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import type { SeededRandom } from "../../src/testing/seeded-random.ts";
import { createMemoryAccountant } from "../../src/transport/accounting/fair-accountant.ts";
import { inflaterFor } from "../../src/transport/grpc/framing/compression.ts";
import { MessageReader } from "../../src/transport/grpc/framing/message-reader.ts";
import { join } from "./mutate-bytes.ts";

const maxMessageBytes = 2_000;

/** What is found in a stream of bytes: messages as hex, bad ones by their status code. */
type Found = readonly string[];

/** A stream of gRPC messages whose parts may be anything: some framed rightly, some not, some compressed. */
export function streamOf(random: SeededRandom, parts: readonly Uint8Array[]): Uint8Array {
  return join(
    ...parts.map((part) => {
      switch (random.between(0, 5)) {
        case 0:
          return part;
        case 1:
          return frame(1, gzipSync(part));
        case 2:
          return frame(1, part);
        case 3:
          return frame(random.between(0, 255), part, random.between(0, part.length + 9));
        case 4:
          return frame(0, part, random.between(0, 3) === 0 ? 0xffff_ffff : part.length);
        default:
          return frame(0, part);
      }
    }),
  );
}

/** However a stream is cut, the same is found in it as by the plain reader below, and nothing is thrown. */
export function checkStream(random: SeededRandom, bytes: Uint8Array): void {
  const expected = readPlainly(bytes);
  assert.deepEqual(read([bytes]), expected, "in one piece");
  const cuts = Array.from({ length: random.between(1, 12) }, () => random.between(0, bytes.length));
  const places = [0, ...cuts, bytes.length].sort((a, b) => a - b);
  const chunks = places.slice(1).map((to, index) => bytes.subarray(places[index], to));
  assert.deepEqual(read(chunks), expected, "in pieces");
  if (bytes.length < 300)
    assert.deepEqual(read(Array.from(bytes, (byte) => Uint8Array.of(byte))), expected, "by bytes");
}

function read(chunks: readonly Uint8Array[]): Found {
  const found: string[] = [];
  const accountant = createMemoryAccountant({ maxBytes: Number.MAX_SAFE_INTEGER });
  const account = accountant.openAccount({ party: "p", name: "connection p", giveWay: () => undefined });
  const reader = new MessageReader({
    maxMessageBytes,
    account,
    inflate: inflate(),
    onMessage: (message) => found.push(Buffer.from(message).toString("hex")),
    onBadMessage: ({ code }) => found.push(`bad ${code}`),
  });
  for (const chunk of chunks) reader.push(chunk);
  reader.end();
  reader.close();
  assert.equal(account.held, 0, "every held byte is released");
  return found;
}

/** The framing rules in their shortest form, over the whole of the bytes. */
function readPlainly(bytes: Uint8Array): Found {
  const found: string[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.length; ) {
    if (at + 5 > bytes.length) return [...found, "bad 13"];
    const flag = view.getUint8(at);
    const end = at + 5 + view.getUint32(at + 1);
    if (flag > 1) found.push("bad 13");
    else if (end - at - 5 > maxMessageBytes) found.push("bad 8");
    else if (end <= bytes.length) found.push(unpack(bytes.subarray(at + 5, end), flag === 1));
    if (end > bytes.length) return [...found, "bad 13"];
    at = end;
  }
  return found;
}

function unpack(message: Uint8Array, isCompressed: boolean): string {
  if (!isCompressed) return Buffer.from(message).toString("hex");
  try {
    return Buffer.from(inflate()(message, maxMessageBytes)).toString("hex");
  } catch (error) {
    return `bad ${error instanceof Error && "code" in error ? error.code : "?"}`;
  }
}

function inflate() {
  const gzip = inflaterFor("gzip");
  if (gzip === undefined) throw new Error("gzip is supported");
  return gzip;
}

function frame(flag: number, body: Uint8Array, length = body.length): Uint8Array {
  const prefix = Buffer.alloc(5);
  prefix[0] = flag;
  prefix.writeUInt32BE(length, 1);
  return join(prefix, body);
}

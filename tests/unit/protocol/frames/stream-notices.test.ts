import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeFrameGenerated, encodeFrameGenerated } from "../../../../src/protocol/frames/generated-codec.ts";
import { decodeFrame, encodeFrame, type Frame } from "../../../../src/protocol/index.ts";
import { joinFrame, peekFrame, spliceChunk, withoutTroupeKeys } from "../../../../src/protocol/internal.ts";
import { asciiBytes } from "../../../../src/protocol/routing/request-id.ts";

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const bytesOf = (text: string) => new Uint8Array(Buffer.from(text, "hex"));

const first: Extract<Frame, { readonly kind: "chunk" }> = {
  kind: "chunk",
  ...{ requestId: "7", offset: 0, typeName: "Line", contentType: "application/json" },
  data: new TextEncoder().encode('{"text":"hi"}'),
};
const firstHex = "c23e2c622a0a01371a044c696e6522106170706c69636174696f6e2f6a736f6e2a0d7b2274657874223a226869227d";
const credit = { kind: "credit", requestId: "7", bytes: 98_304 } as const;
const creditHex = "c23e096a070a013710808006";

const chunks = fc.record({
  kind: fc.constant("chunk" as const),
  requestId: fc.string({ minLength: 1, maxLength: 20 }),
  offset: fc.nat({ max: 2_000_000_000 }),
  typeName: fc.string({ maxLength: 20 }),
  contentType: fc.string({ maxLength: 20 }),
  data: fc.uint8Array({ maxLength: 300 }),
});

describe("chunks and grants", () => {
  test("have the bytes of the protocol", () => {
    expect(hex(encodeFrame(first))).toBe(firstHex);
    expect(hex(encodeFrame(credit))).toBe(creditHex);
    expect(decodeFrame(bytesOf(firstHex))).toEqual(first);
    expect(decodeFrame(bytesOf(creditHex))).toEqual(credit);
  });

  test("are written and read as the generated code does", () => {
    fc.assert(
      fc.property(chunks, (chunk) => {
        const bytes = encodeFrame(chunk);
        expect(hex(bytes)).toBe(hex(encodeFrameGenerated(chunk)));
        expect(decodeFrame(bytes)).toEqual(chunk);
        expect(decodeFrameGenerated(bytes)).toEqual(chunk);
      }),
    );
    fc.assert(
      fc.property(fc.string({ maxLength: 20 }), fc.maxSafeNat(), (requestId, bytes) => {
        const grant = { kind: "credit" as const, requestId, bytes };
        expect(hex(encodeFrame(grant))).toBe(hex(encodeFrameGenerated(grant)));
        expect(decodeFrame(encodeFrame(grant))).toEqual(grant);
      }),
    );
  });

  test("a host reads no more of a chunk than its call and its length, and replaces the id alone", () => {
    fc.assert(
      fc.property(chunks, fc.stringMatching(/^[a-z0-9-]{1,200}$/), (chunk, id) => {
        const peeked = peekFrame(encodeFrame(chunk));
        if (peeked.kind !== "chunk") return expect.unreachable();
        expect(peeked.dataBytes).toBe(chunk.data.length);
        const spliced = joinFrame(spliceChunk(peeked, asciiBytes(id)));
        expect(hex(spliced)).toBe(hex(encodeFrame({ ...chunk, requestId: id })));
      }),
    );
  });

  test("a chunk in another form than ours is read by the generated code, and one may name no call", () => {
    // The fields stand in another order.
    const odd = bytesOf("c23e0a62082a01780a01371005");
    const peeked = peekFrame(odd);
    if (peeked.kind !== "chunk") return expect.unreachable();
    expect(Buffer.from(peeked.bytes.subarray(peeked.requestId.textStart, peeked.requestId.end)).toString()).toBe("7");
    expect(decodeFrame(joinFrame(spliceChunk(peeked, asciiBytes("9"))))).toMatchObject({ requestId: "9", offset: 5 });
    expect(peekFrame(encodeFrame({ ...first, requestId: "" }))).toMatchObject({
      kind: "chunk",
      requestId: { count: 0 },
    });
  });

  test("a call asks for chunks with a whole number of bytes above 0", () => {
    const call = { requestId: "1", source: undefined, target: { type: "a", key: "b" }, payload: undefined };
    const request = { kind: "request", ...call } as const;
    const streamBytesOf = (metadata: Record<string, string>) => {
      const peeked = peekFrame(encodeFrame({ ...request, metadata }));
      return peeked.kind === "request" ? peeked.streamBytes : expect.unreachable();
    };
    expect(streamBytesOf({})).toBeUndefined();
    expect(streamBytesOf({ agstream: "65536" })).toBe(65_536);
    for (const agstream of ["", "0", "-1", "1.5", "x", "1e3"]) expect(streamBytesOf({ agstream })).toBe(0);
  });

  test("an answer says behind how many chunks it came, only to announced peers", () => {
    const peekedOf = (metadata: Record<string, string>) => {
      const payload = { typeName: "T", contentType: "application/json", data: new Uint8Array(2) };
      const peeked = peekFrame(encodeFrame({ kind: "response", requestId: "1", payload, error: "", metadata }));
      return peeked.kind === "response" ? peeked : expect.unreachable();
    };
    expect(peekedOf({}).chunks).toBe(0);
    expect(peekedOf({ agchunks: "3", other: "x" }).chunks).toBe(3);
    for (const agchunks of ["", "-1", "x"]) expect(peekedOf({ agchunks }).chunks).toBe(0);
    const bare = withoutTroupeKeys(peekedOf({ agchunks: "3", other: "x" }));
    expect(decodeFrame(bare.bytes)).toMatchObject({ metadata: { other: "x" } });
  });
});

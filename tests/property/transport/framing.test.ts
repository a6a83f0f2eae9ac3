import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeStatusMessage, encodeStatusMessage } from "../../../src/transport/grpc/framing/call-status.ts";
import { FrameParser } from "../../../src/transport/grpc/framing/frame-parser.ts";
import { formatTimeout, parseTimeout } from "../../../src/transport/grpc/framing/headers.ts";
import { packMessages } from "../../../src/transport/grpc/framing/message-packing.ts";

/** Cuts bytes at these places, in any order and with repetitions. */
function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const sorted = [...places.map((place) => place % (bytes.length + 1)), 0, bytes.length].sort((a, b) => a - b);
  return sorted.slice(1).map((to, index) => bytes.subarray(sorted[index], to));
}

const messages = fc.array(fc.uint8Array({ maxLength: 40_000, size: "max" }), { maxLength: 8 });

describe("framing", () => {
  it("gives back what was packed, however the bytes are cut", () => {
    fc.assert(
      fc.property(messages, fc.array(fc.nat(), { maxLength: 20 }), (sent, places) => {
        const found: Buffer[] = [];
        const parser = new FrameParser(
          {
            onMessage: (message) => found.push(Buffer.from(message)),
            onSkipped: () => expect.fail("nothing is too large"),
          },
          { maxMessageBytes: 40_000 },
        );
        for (const chunk of cut(Buffer.concat(packMessages(sent)), places)) parser.push(chunk);
        expect(found.map((message) => message.toString("base64"))).toEqual(
          sent.map((message) => Buffer.from(message).toString("base64")),
        );
        expect(parser.isMidMessage).toBe(false);
      }),
      { numRuns: 100 },
    );
  });

  it("carries any status text of moderate length unharmed, in printable ASCII", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 60 }), (text) => {
        const encoded = encodeStatusMessage(text);
        expect(encoded).toMatch(/^[ -~]*$/);
        expect(decodeStatusMessage(encoded)).toBe(text);
      }),
    );
  });

  it("never shortens a timeout, and by no more than the header's precision lengthens it", () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 3e14, noNaN: true }), (timeoutMs) => {
        const header = formatTimeout(timeoutMs);
        expect(header).toMatch(/^\d{1,8}[HMSmun]$/);
        const parsed = parseTimeout(header) ?? Number.NaN;
        expect(parsed).toBeGreaterThanOrEqual(timeoutMs);
        expect(parsed).toBeLessThanOrEqual(timeoutMs < 99_999_000 ? timeoutMs + 1 : timeoutMs * 1.001 + 3_600_000);
      }),
    );
  });
});

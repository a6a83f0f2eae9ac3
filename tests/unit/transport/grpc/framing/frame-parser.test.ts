import { describe, expect, it } from "vitest";
import { FrameParser, type SkippedMessage } from "../../../../../src/transport/grpc/framing/frame-parser.ts";

type Found = { readonly message: number[]; readonly isCompressed: boolean } | { readonly skipped: string };

function parserInto(found: Found[], maxBytes = 10): FrameParser {
  return new FrameParser(
    {
      onMessage: (message, isCompressed) => found.push({ message: [...message], isCompressed }),
      onSkipped: (skipped) => found.push({ skipped: `${skipped.why} ${skipped.announcedBytes} ${skipped.flag}` }),
    },
    { maxMessageBytes: maxBytes },
  );
}

const BYTES = Uint8Array.from([
  ...[0, 0, 0, 0, 3, 1, 2, 3],
  ...[0, 0, 0, 0, 0],
  ...[1, 0, 0, 0, 2, 8, 9],
  ...[0, 0, 0, 0, 11, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
  ...[7, 0, 0, 0, 1, 1],
  ...[0, 0, 0, 0, 1, 42],
]);

const FOUND: Found[] = [
  { message: [1, 2, 3], isCompressed: false },
  { message: [], isCompressed: false },
  { message: [8, 9], isCompressed: true },
  { skipped: "too-large 11 0" },
  { skipped: "bad-flag 1 7" },
  { message: [42], isCompressed: false },
];

describe("the frame parser", () => {
  it("finds the same messages wherever a byte stream is split in two or three", () => {
    for (let first = 0; first <= BYTES.length; first += 1) {
      for (let second = first; second <= BYTES.length; second += 1) {
        const found: Found[] = [];
        const parser = parserInto(found);
        for (const part of [BYTES.subarray(0, first), BYTES.subarray(first, second), BYTES.subarray(second)])
          parser.push(part);
        expect(found).toEqual(FOUND);
        expect(parser.isMidMessage).toBe(false);
      }
    }
  });

  it("finds the same messages in single bytes", () => {
    const found: Found[] = [];
    const parser = parserInto(found);
    for (const byte of BYTES) parser.push(Uint8Array.of(byte));
    expect(found).toEqual(FOUND);
  });

  it("hands out a view, not a copy, of a message that lies in one chunk", () => {
    const messages: Uint8Array[] = [];
    const parser = new FrameParser(
      { onMessage: (message) => messages.push(message), onSkipped: () => undefined },
      { maxMessageBytes: 10 },
    );
    parser.push(BYTES);
    expect(messages[0]?.buffer).toBe(BYTES.buffer);
  });

  it("knows when it is inside a prefix, a message or skipped bytes", () => {
    const parser = parserInto([]);
    expect(parser.isMidMessage).toBe(false);
    parser.push(Uint8Array.of(0, 0));
    expect(parser.isMidMessage).toBe(true);
    parser.push(Uint8Array.of(0, 0, 2, 1));
    expect(parser.isMidMessage).toBe(true);
    parser.push(Uint8Array.of(1));
    expect(parser.isMidMessage).toBe(false);
    parser.push(Uint8Array.of(0, 0, 0, 0, 12, 1));
    expect(parser.isMidMessage).toBe(true);
  });

  it("reads lengths of four full bytes without going negative", () => {
    const found: Found[] = [];
    const parser = parserInto(found);
    parser.push(Uint8Array.of(0, 0xff, 0xff, 0xff, 0xff));
    parser.end();
    expect(found).toEqual([{ skipped: "too-large 4294967295 0" }]);
  });

  it("reports the beginning of a message that is too long, wherever the bytes are cut", () => {
    const body = Buffer.from("abcdefghijklmnop");
    const bytes = Buffer.concat([Buffer.of(0, 0, 0, 0, body.length), body, Buffer.of(0, 0, 0, 0, 1, 42)]);
    for (let first = 0; first <= bytes.length; first += 1) {
      for (let second = first; second <= bytes.length; second += 1) {
        const found: string[] = [];
        const sink = {
          onMessage: ([only]: Uint8Array) => found.push(`message ${only}`),
          onSkipped: ({ head }: SkippedMessage) => found.push(Buffer.from(head).toString()),
        };
        const parser = new FrameParser(sink, { maxMessageBytes: 10, headBytes: 7 });
        for (const part of [bytes.subarray(0, first), bytes.subarray(first, second), bytes.subarray(second)])
          parser.push(part);
        expect(found).toEqual(["abcdefg", "message 42"]);
      }
    }
  });

  it("reports as much of a message that is too long as comes before the end", () => {
    const heads: string[] = [];
    const sink = {
      onMessage: () => undefined,
      onSkipped: ({ head }: SkippedMessage) => heads.push(Buffer.from(head).toString()),
    };
    const parser = new FrameParser(sink, { maxMessageBytes: 10 });
    parser.push(Buffer.concat([Buffer.of(0, 0, 0, 0, 200), Buffer.from("abc")]));
    expect(heads).toEqual([]);
    parser.end();
    parser.end();
    expect(heads).toEqual(["abc"]);
  });

  it("gives up an unfinished message once: its beginning is reported, its rest skipped, and the next one read", () => {
    const found: string[] = [];
    const sink = {
      onMessage: ([only]: Uint8Array) => found.push(`message ${only}`),
      onSkipped: ({ why, head }: SkippedMessage) => found.push(`${why} ${Buffer.from(head).toString()}`),
    };
    const parser = new FrameParser(sink, { maxMessageBytes: 100 });
    parser.push(Buffer.concat([Buffer.of(0, 0, 0, 0, 6), Buffer.from("abc")]));
    parser.giveUp("too-slow");
    parser.giveUp("too-slow");
    parser.push(Buffer.concat([Buffer.from("def"), Buffer.of(0, 0, 0, 0, 1, 42)]));
    expect(found).toEqual(["too-slow abc", "message 42"]);
  });

  it("only counts messages in the end, without their bytes", () => {
    const found: number[] = [];
    const sink = { onMessage: ({ length }: Uint8Array) => found.push(length), onSkipped: () => undefined };
    const parser = new FrameParser(sink, { maxMessageBytes: 100 });
    parser.push(Buffer.concat([Buffer.of(0, 0, 0, 0, 6), Buffer.from("abc")]));
    parser.countOnly();
    parser.push(Buffer.concat([Buffer.from("def"), Buffer.of(0, 0, 0, 0, 1, 42), Buffer.of(0, 0, 0, 0, 9, 1)]));
    expect(found).toEqual([0, 1]);
  });
});

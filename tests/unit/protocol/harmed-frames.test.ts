import { describe, expect, test } from "vitest";
import { decodeFrame, encodeFrame, peekFrame } from "../../../src/protocol/index.ts";

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex.replaceAll(" ", ""), "hex"));
}

describe("a caller's own time limit", () => {
  const limit = (value: string) =>
    [0x32, 15 + value.length, 0x0a, 11, ...Buffer.from("agtimeoutms"), 0x12, value.length].concat([
      ...Buffer.from(value),
    ]);
  const call = (...fields: number[][]) => Uint8Array.from([0x0a, fields.flat().length, ...fields.flat()]);

  test.each([
    ["500", "250", 250],
    ["500", "", undefined],
    ["500", "soon", undefined],
    ["soon", "500", 500],
  ])("given twice, as %s and %s: the last one counts", (first, last, timeoutMs) => {
    expect(peekFrame(call(limit(first), limit(last)))).toMatchObject({ kind: "request", timeoutMs });
  });

  test("without a value cancels an earlier one", () => {
    const bare = [0x32, 13, 0x0a, 11, ...Buffer.from("agtimeoutms")];
    expect(peekFrame(call(limit("500"), bare))).toMatchObject({ kind: "request", timeoutMs: undefined });
  });
});

describe("an event", () => {
  test("with an unknown field beside an attribute, which workers' parsers misread, is sent to no worker", () => {
    const event = bytesOf("1a 11 22 01 74 2a 0c 0a 01 61 3d 00 00 00 12 12 01 1a 00");
    expect(peekFrame(event).kind).toBe("bad");
  });

  test("whose protobuf data is not an Any is refused on arrival, not when a handler reads it", () => {
    const event = bytesOf("1a 06 42 04 0a 09 61 62");
    expect(() => decodeFrame(event)).toThrow(expect.objectContaining({ code: "invalid-message" }));
  });

  test("keeps the bytes of a valid Any", () => {
    const data = bytesOf("0a 03 61 2f 62 12 02 0a 00");
    const payload = { typeName: "b", contentType: "application/x-protobuf", data };
    const event = { id: "E", topicType: "t", topicSource: "s", sender: undefined, payload, attributes: {} };
    expect(decodeFrame(encodeFrame({ kind: "event", event }))).toMatchObject({ event: { payload } });
  });
});

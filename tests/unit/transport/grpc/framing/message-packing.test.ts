import { expect, it } from "vitest";
import { COPY_UP_TO_BYTES, MessagePacking } from "../../../../../src/transport/grpc/framing/message-packing.ts";

function bytesOf(packing: MessagePacking): Buffer {
  return Buffer.concat(packing.take().chunks.map(({ bytes }) => bytes));
}

it.each([10, COPY_UP_TO_BYTES, 64 * 1024, 1_000_000])(
  "lays out a frame whose head has %i bytes, and counts what it holds",
  (headBytes) => {
    const head = Buffer.alloc(headBytes, 1);
    const rest = Buffer.alloc(20_000, 2);
    const packing = new MessagePacking();
    packing.add(Buffer.of(7));
    packing.add({ head, rest, byteLength: head.length + rest.length });
    packing.add(Buffer.of(8));
    const length = Buffer.alloc(5);
    length.writeUInt32BE(head.length + rest.length, 1);
    const expected = Buffer.concat([Buffer.of(0, 0, 0, 0, 1, 7), length, head, rest, Buffer.of(0, 0, 0, 0, 1, 8)]);
    expect(packing.bytes).toBe(expected.length);
    expect(bytesOf(packing).equals(expected)).toBe(true);
    expect(packing.bytes).toBe(0);
  },
);

it("counts nothing of a frame that it could not take", () => {
  const packing = new MessagePacking();
  const broken = { head: Buffer.alloc(10), rest: Buffer.alloc(3_000), byteLength: 20 };
  expect(() => packing.add(broken)).toThrow(RangeError);
  expect(packing.bytes).toBe(0);
});

it("takes a message as a whole whose last part is empty", () => {
  const packing = new MessagePacking();
  const head = Buffer.alloc(1_000_000);
  packing.add({ head, rest: new Uint8Array(0), byteLength: head.length });
  expect(packing.take(1_000).count).toBe(1);
});

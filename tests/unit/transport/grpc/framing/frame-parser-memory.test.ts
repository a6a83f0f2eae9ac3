import { describe, expect, test } from "vitest";
import { createMemoryAccountant } from "../../../../../src/transport/accounting/fair-accountant.ts";
import type { MemoryAccount } from "../../../../../src/transport/accounting/memory-account.ts";
import { FrameParser, type SkippedMessage } from "../../../../../src/transport/grpc/framing/frame-parser.ts";

/** An account that may hold so much, and no more. */
function accountOf(maxBytes: number, accountant = createMemoryAccountant()): MemoryAccount {
  return accountant.openAccount({ party: "p", name: "connection p", maxBytes, giveWay: () => undefined });
}

function parserOn(held: MemoryAccount) {
  const messages: Uint8Array[] = [];
  const skipped: SkippedMessage[] = [];
  const sink = {
    onMessage: (message: Uint8Array) => messages.push(message),
    onSkipped: (one: SkippedMessage) => skipped.push(one),
  };
  return { parser: new FrameParser(sink, { maxMessageBytes: 10_000, account: held }), messages, skipped };
}

function announced(bytes: number): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(bytes, 1);
  return prefix;
}

describe("a message that arrives in several chunks", () => {
  test("counts against the byte budget until it is complete", () => {
    const held = accountOf(5_000);
    const { parser, messages } = parserOn(held);
    parser.push(Buffer.concat([announced(2_000), Buffer.alloc(1_500)]));
    expect(held.held).toBeGreaterThan(1_500);
    parser.push(Buffer.alloc(500));
    expect(held.held).toBe(0);
    expect(messages.map(({ length }) => length)).toEqual([2_000]);
  });

  test("is skipped when the budget has no space: its beginning is reported, and the next message is read", () => {
    const all = createMemoryAccountant({ maxBytes: 5_000 });
    const held = accountOf(10_000, all);
    const { parser: other } = parserOn(accountOf(10_000, all));
    other.push(Buffer.concat([announced(5_000), Buffer.alloc(1_500)]));
    const { parser, messages, skipped } = parserOn(held);
    parser.push(Buffer.concat([announced(3_000), Buffer.alloc(1_000, 7)]));
    parser.push(Buffer.alloc(1_500));
    expect(skipped).toMatchObject([{ why: "no-room", announcedBytes: 3_000 }]);
    expect([...(skipped[0]?.head.subarray(0, 3) ?? [])]).toEqual([7, 7, 7]);
    expect(held.held).toBe(0);
    parser.push(Buffer.concat([Buffer.alloc(500), announced(1), Buffer.of(42)]));
    expect(messages.map((message) => [...message])).toEqual([[42]]);
  });

  test("grows its buffer in smaller steps when the budget is short, and is copied only a few times", () => {
    const held = accountOf(3_000_000);
    // Others hold a third.
    held.take(1_000_000);
    const skipped: SkippedMessage[] = [];
    const sink = { onMessage: () => undefined, onSkipped: (one: SkippedMessage) => skipped.push(one) };
    const parser = new FrameParser(sink, { maxMessageBytes: 4_000_000, account: held });
    let moves = 0;
    const take = held.take.bind(held);
    held.take = (bytes) => {
      const isTaken = take(bytes);
      if (isTaken) moves += 1;
      return isTaken;
    };
    parser.push(announced(2_900_000));
    for (let sent = 0; sent < 2_900_000; sent += 100) parser.push(Buffer.alloc(100, 5));
    expect(skipped).toMatchObject([{ why: "no-room", announcedBytes: 2_900_000 }]);
    expect(moves).toBeLessThan(30);
  });

  test("is released with its stream, even if the stream ends in the middle of a chunk", () => {
    const held = accountOf(5_000);
    const sink = { onMessage: () => parser.close(), onSkipped: () => undefined };
    const parser: FrameParser = new FrameParser(sink, { maxMessageBytes: 10_000, account: held });
    parser.push(Buffer.concat([announced(1), Buffer.of(1), announced(100), Buffer.alloc(50)]));
    expect(held.held).toBe(0);
  });

  test("in small chunks of large buffers keeps only its chunks alive", () => {
    const held = accountOf(5_000);
    const { parser, messages } = parserOn(held);
    const large = new Uint8Array(100_000);
    parser.push(announced(2));
    parser.push(large.subarray(0, 1));
    expect(held.held).toBeLessThan(200);
    parser.push(large.subarray(1, 2));
    expect(messages[0]?.length).toBe(2);
  });
});

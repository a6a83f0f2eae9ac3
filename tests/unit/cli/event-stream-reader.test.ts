import { expect, test } from "vitest";
import { EventStreamReader } from "../../../src/cli/tail/event-stream-reader.ts";

const stream =
  'retry: 2000\n\nid: a-1\nevent: call\ndata: {"é":1}\n\n: quiet\nid: a-4\n\nevent: lost\ndata: one\ndata: two\n\n';

test("events are read the same in whatever pieces their bytes come, and signs of life move the place", () => {
  const bytes = new TextEncoder().encode(stream);
  for (let size = 1; size <= bytes.length; size += 1) {
    const reader = new EventStreamReader();
    const events = [];
    for (let at = 0; at < bytes.length; at += size) events.push(...reader.read(bytes.subarray(at, at + size)));
    expect(events).toEqual([
      { id: "a-1", name: "call", data: '{"é":1}' },
      { id: "a-4", name: "lost", data: "one\ntwo" },
    ]);
    expect(reader.lastEventId).toBe("a-4");
  }
});

test("an event without an end takes no more than a megabyte", () => {
  const reader = new EventStreamReader();
  const piece = new TextEncoder().encode(`data: ${"x".repeat(100_000)}\n`);
  const flood = () => {
    for (let count = 0; count < 100; count += 1) reader.read(piece);
  };
  expect(flood).toThrow(/too long/);
});

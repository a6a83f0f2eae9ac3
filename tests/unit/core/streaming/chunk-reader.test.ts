import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ChunkReader } from "../../../../src/core/streaming/chunk-reader.ts";
import { StreamWindow } from "../../../../src/core/streaming/stream-window.ts";

/** A reader, and the window that it grants. */
function openReader(windowBytes: number) {
  const window = new StreamWindow(windowBytes);
  const grants: number[] = [];
  const cancels: unknown[] = [];
  const reader = new ChunkReader({
    ...{ windowBytes, intercept: undefined, whole: undefined, onMove: undefined },
    grant: (totalBytes) => {
      grants.push(totalBytes);
      window.grant(totalBytes);
    },
    cancel: (reason) => cancels.push(reason),
  });
  return { window, reader, grants, cancels };
}

describe("the reader's end of a stream", () => {
  test("never holds more than its window and one chunk, whatever is sent and read when", async () => {
    const step = fc.oneof(fc.record({ send: fc.integer({ min: 65, max: 3_000 }) }), fc.constant("read" as const));
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 200 }),
        fc.integer({ min: 1_024, max: 8_192 }),
        async (steps, size) => {
          const { window, reader } = openReader(size);
          const iterator = reader[Symbol.asyncIterator]();
          const sent: number[] = [];
          let isOpen = true;
          let unread = 0;
          let largest = 0;
          let read = 0;
          for (const one of steps) {
            if (one === "read") {
              if (read === sent.length) continue;
              const { value } = await iterator.next();
              expect(value).toBe(read);
              unread -= sent[read] ?? 0;
              read += 1;
            } else if (isOpen) {
              const next = window.spend(one.send);
              isOpen = next === undefined;
              void next?.then(() => {
                isOpen = true;
              });
              reader.accept(sent.length, one.send);
              sent.push(one.send);
              unread += one.send;
              largest = Math.max(largest, one.send);
              expect(unread).toBeLessThanOrEqual(size + largest);
            }
            await Promise.resolve();
          }
          reader.end("answer");
          while (read < sent.length) expect((await iterator.next()).value).toBe(read++);
          expect(await iterator.next()).toEqual({ done: true, value: "answer" });
        },
      ),
    );
  });

  test("refuses a chunk that it has not granted", () => {
    const { reader } = openReader(1_024);
    reader.accept("first", 2_000);
    expect(() => reader.accept("second", 65)).toThrow(expect.objectContaining({ code: "invalid-message" }));
  });

  test("grants all that was read since the beginning, so that a grant may come twice or not at all", async () => {
    const { reader, grants, window } = openReader(1_024);
    const iterator = reader[Symbol.asyncIterator]();
    for (let chunk = 0; chunk < 3; chunk += 1) {
      reader.accept(chunk, 600);
      await iterator.next();
    }
    expect(grants).toEqual([1_624, 2_224, 2_824]);
    window.grant(1_624);
    expect(window.spend(2_823)).toBeUndefined();
    expect(window.spend(1)).toBeInstanceOf(Promise);
  });

  test("gives all that wait for chunks their turn, then the end", async () => {
    const { reader } = openReader(1_024);
    const iterator = reader[Symbol.asyncIterator]();
    const all = Promise.all([iterator.next(), iterator.next(), iterator.next(), iterator.next()]);
    reader.accept("a", 100);
    reader.accept("b", 100);
    reader.end("answer");
    const end = { done: true, value: undefined };
    expect(await all).toEqual([
      { done: false, value: "a" },
      { done: false, value: "b" },
      { done: true, value: "answer" },
      end,
    ]);
    expect(await iterator.next()).toEqual(end);
  });

  test("hands out the chunks before an error, but not those of a reader that gave up", async () => {
    for (const isAtOnce of [false, true]) {
      const { reader } = openReader(1_024);
      const iterator = reader[Symbol.asyncIterator]();
      reader.accept("a", 100);
      reader.fail(new Error("over"), isAtOnce);
      if (!isAtOnce) expect(await iterator.next()).toEqual({ done: false, value: "a" });
      await expect(iterator.next()).rejects.toThrow("over");
      await expect(reader.answer).rejects.toThrow("over");
      reader.accept("late", 100);
      expect(await iterator.next()).toEqual({ done: true, value: undefined });
    }
  });
});

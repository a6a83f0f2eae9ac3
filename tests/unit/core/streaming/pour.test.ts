import { expect, test } from "vitest";
import { HandlerContext } from "../../../../src/core/delivery/handler-context.ts";
import type { ChunkSink } from "../../../../src/core/streaming/chunk-sink.ts";
import { pour } from "../../../../src/core/streaming/pour.ts";

/** Counts chunks, and takes all at once. */
class Counter implements ChunkSink {
  count = 0;
  readonly hasSent = true;

  put(): undefined {
    this.count += 1;
    return undefined;
  }
}

function contextWith(chunks: ChunkSink): HandlerContext {
  return new HandlerContext({ sender: undefined, topicId: undefined, isRpc: true, messageId: "1", chunks });
}

async function* manyChunks(count: number) {
  for (let chunk = 0; chunk < count; chunk += 1) yield chunk;
  return "the answer";
}

test("hundreds of streams whose handlers never wait leave timers and calls their turn", async () => {
  const counter = new Counter();
  const [streams, chunks] = [300, 200];
  const perTurn: number[] = [];
  let before = 0;
  let isOver = false;
  const look = (): void => {
    perTurn.push(counter.count - before);
    before = counter.count;
    if (!isOver) setImmediate(look);
  };
  setImmediate(look);
  const answers = Array.from({ length: streams }, () => pour(manyChunks(chunks), contextWith(counter)));
  expect(new Set(await Promise.all(answers))).toEqual(new Set(["the answer"]));
  isOver = true;
  perTurn.push(counter.count - before);
  expect(counter.count).toBe(streams * chunks);
  // Each stream has at least one chunk in a turn, and all have 256 together.
  expect(Math.max(...perTurn)).toBeLessThanOrEqual(streams + 256);
});

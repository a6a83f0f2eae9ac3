import { describe, expect, it } from "vitest";
import { LinkQueue } from "../../../../../src/host/peers/links/link-queue.ts";
import { createMemoryAccountant, type FrameStream } from "../../../../../src/transport/internal.ts";

function openQueue(maxQueuedBytes = 10_000) {
  const waiting: number[] = [];
  const stream = {
    get queuedFrames() {
      return waiting.length;
    },
    get queuedBytes() {
      return waiting.reduce((sum, bytes) => sum + bytes, 0);
    },
    unsentFrames: 0,
    unconfirmedFrames: 0,
    send: (frame: Uint8Array) => waiting.push(frame.length) > 0,
  } as unknown as FrameStream;
  const account = createMemoryAccountant().openAccount({ party: "here", name: "link", giveWay: () => undefined });
  let overflows = 0;
  const bounds = { maxQueuedBytes, maxQueuedFrames: 1_000 };
  const onOverflow = (): void => {
    overflows += 1;
  };
  const queue = new LinkQueue({ stream, bounds, account, onOverflow });
  return { queue, account, waiting, overflows: () => overflows };
}

const frame = new Uint8Array(936);

describe("the queue for another host", () => {
  it("leaves space for others when the callers of one address fill it", () => {
    const { queue } = openQueue();
    let taken = 0;
    while (queue.send(frame, "call", "greedy") === "queued") taken += 1;
    expect(taken).toBeGreaterThan(4);
    expect(queue.send(frame, "call", "modest")).toBe("queued");
    expect(queue.send(frame, "event", "greedy")).toBe("full");
    expect(queue.droppedEvents).toBe(1);
  });

  it("leaves places for others when the callers of one address send short frames", () => {
    const { queue } = openQueue(1_000_000);
    const short = new Uint8Array(10);
    let taken = 0;
    while (queue.send(short, "call", "greedy") === "queued") taken += 1;
    expect(taken).toBe(667);
    expect(queue.send(short, "call", "modest")).toBe("queued");
  });

  it("takes answers beyond the space for calls, and is cut when they find none", () => {
    const { queue, overflows } = openQueue();
    while (queue.send(frame, "call", "greedy") === "queued");
    expect(queue.send(frame, "answer")).toBe("queued");
    expect(overflows()).toBe(0);
    while (queue.send(frame, "answer") === "queued");
    expect(overflows()).toBe(1);
  });

  it("frees the space and the memory of what has left", () => {
    const { queue, account, waiting } = openQueue();
    while (queue.send(frame, "call", "greedy") === "queued");
    expect(account.held).toBeGreaterThan(0);
    waiting.length = 0;
    queue.settle();
    expect(account.held).toBe(0);
    expect(queue.send(frame, "call", "greedy")).toBe("queued");
    queue.close();
    expect(account.held).toBe(0);
  });
});

import { expect, it } from "vitest";
import { QueueBound } from "../../../../src/host/sessions/queue-bound.ts";
import { createUncountedAccount } from "../../../../src/transport/internal.ts";

const bounds = { maxQueuedFrames: 10, maxQueuedBytes: 1_000, whenFull: "drop" } as const;

function boundOn(queuedFrames: number, queuedBytes: number) {
  return new QueueBound({ queuedFrames, queuedBytes }, bounds, createUncountedAccount());
}

it("has room for calls and events up to the bound in frames and in bytes", () => {
  expect(boundOn(9, 900).hasRoom(100, "event")).toBe(true);
  expect(boundOn(10, 10).hasRoom(1, "event")).toBe(false);
  expect(boundOn(9, 901).hasRoom(100, "call")).toBe(false);
});

it.each(["answer", "notice"] as const)("has twice the room for an %s", (use) => {
  expect(boundOn(19, 1_900).hasRoom(100, use)).toBe(true);
  expect(boundOn(20, 1_900).hasRoom(100, use)).toBe(false);
  expect(boundOn(19, 1_901).hasRoom(100, use)).toBe(false);
});

it("lets a single frame pass that is longer than the bound when nothing else waits", () => {
  expect(boundOn(0, 0).hasRoom(5_000, "event")).toBe(true);
  expect(boundOn(1, 5_000).hasRoom(1, "event")).toBe(false);
});

it("tells of losses when they begin, and how many there were when half the room is free again", () => {
  const queue = { queuedFrames: 10, queuedBytes: 1_000 };
  const bound = new QueueBound(queue, bounds, createUncountedAccount());
  expect([bound.noteLoss(), bound.noteLoss()]).toEqual([true, false]);
  queue.queuedFrames = 5;
  expect(bound.takeRelief()).toBe(0);
  queue.queuedBytes = 500;
  expect(bound.takeRelief()).toBe(2);
  expect(bound.takeRelief()).toBe(0);
  expect(bound.noteLoss()).toBe(true);
});

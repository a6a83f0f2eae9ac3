import { expect, it } from "vitest";
import { BatchRunner } from "../../../src/host/batch-runner.ts";
import { limits } from "../../../src/host/limits.ts";
import { ManualClock } from "../../../src/testing/index.ts";

function setUp() {
  const clock = new ManualClock();
  const done: string[] = [];
  const tasks = (name: string, count: number) => Array.from({ length: count }, () => () => void done.push(name));
  return { clock, done, tasks, work: new BatchRunner(clock) };
}

it("does short work at once, without a timer", () => {
  const { clock, done, tasks, work } = setUp();
  work.add(tasks("a", limits.batchSize - 1));
  expect(done).toHaveLength(limits.batchSize - 1);
  expect(clock.pendingTimers).toBe(0);
});

it("does long work lot by lot, each in a turn of its own", () => {
  const { clock, done, tasks, work } = setUp();
  work.add(tasks("a", 2 * limits.batchSize + 10));
  expect(done).toHaveLength(limits.batchSize);
  work.add(tasks("b", 10));
  expect(done.at(-1)).toBe("b");
  clock.advance(0);
  expect(done).toHaveLength(2 * limits.batchSize + 20);
  expect(clock.pendingTimers).toBe(0);
});

it("does the rest at once when it is told to finish", () => {
  const { clock, done, tasks, work } = setUp();
  work.add(tasks("a", 5 * limits.batchSize));
  work.add(tasks("b", 5 * limits.batchSize));
  work.finish();
  expect(done).toHaveLength(10 * limits.batchSize);
  expect(clock.pendingTimers).toBe(0);
});

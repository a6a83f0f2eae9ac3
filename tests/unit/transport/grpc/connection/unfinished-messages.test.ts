import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { UnfinishedMessages } from "../../../../../src/transport/grpc/connection/unfinished-messages.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const kib = 1024;

function setUp() {
  const watched = new UnfinishedMessages(1_000);
  const source = { unfinished: 1, arrivedBytes: 0, isHeldBack: false, giveUp: vi.fn() };
  watched.watch(source);
  /** Lets time pass in steps, and bytes come with each. */
  const pass = (ms: number, bytes = 0) => {
    for (let passed = 0; passed < ms; passed += 100) {
      source.arrivedBytes += bytes;
      vi.advanceTimersByTime(100);
    }
  };
  return { watched, source, pass };
}

it("a message of which no byte comes is given up after the time limit, and not before", () => {
  const { source, pass } = setUp();
  pass(500, 100 * kib);
  pass(900);
  expect(source.giveUp).not.toHaveBeenCalled();
  pass(600);
  expect(source.giveUp).toHaveBeenCalledTimes(1);
});

it("a message that comes byte by byte is given up: it is too slow on the whole", () => {
  const { source, pass } = setUp();
  pass(3_000, 1);
  expect(source.giveUp).toHaveBeenCalledTimes(1);
});

it("a long message that comes at an ordinary pace is not given up, however long it takes", () => {
  const { source, pass } = setUp();
  pass(60_000, 4 * kib);
  expect(source.giveUp).not.toHaveBeenCalled();
});

it("the peer is not to blame while this side does not read, nor for the message before", () => {
  const { source, pass } = setUp();
  source.isHeldBack = true;
  pass(5_000);
  source.isHeldBack = false;
  pass(700);
  source.unfinished = 2;
  pass(900);
  expect(source.giveUp).not.toHaveBeenCalled();
  pass(700);
  expect(source.giveUp).toHaveBeenCalledTimes(1);
});

it("nothing keeps a timer once no message is unfinished", () => {
  const { watched, source, pass } = setUp();
  source.unfinished = 0;
  pass(1_000);
  expect(vi.getTimerCount()).toBe(0);
  watched.watch({ ...source, unfinished: 1 });
  watched.close();
  expect(vi.getTimerCount()).toBe(0);
});

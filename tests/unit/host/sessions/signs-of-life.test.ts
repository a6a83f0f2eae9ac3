import { expect, test } from "vitest";
import { SignsOfLife } from "../../../../src/host/sessions/signs-of-life.ts";
import { ManualClock } from "../../../../src/testing/index.ts";

/** A host that asks after 15 s of silence, and waits 30 s for an answer. */
function watched() {
  const clock = new ManualClock();
  const seen = { asked: 0, lost: 0 };
  const worker = { receivedBytes: 0, left: 0, queued: 0 };
  const signs = new SignsOfLife({
    ...{ clock, afterMs: 15_000, timeoutMs: 30_000 },
    receivedBytes: () => worker.receivedBytes,
    frames: () => ({ left: worker.left, queued: worker.queued }),
    ask: () => {
      seen.asked += 1;
      worker.queued += 1;
    },
    onSilent: () => {
      seen.lost += 1;
    },
  });
  return { clock, seen, worker, signs };
}

test("a worker that sends something every 15 s is never asked", () => {
  const { clock, seen, worker } = watched();
  for (let times = 0; times < 10; times += 1) {
    worker.receivedBytes += 1;
    clock.advance(15_000);
  }
  expect(seen).toEqual({ asked: 0, lost: 0 });
});

test("a silent worker that answers within 30 s is asked each 15 s, and lives", () => {
  const { clock, seen, worker } = watched();
  for (let times = 1; times <= 5; times += 1) {
    clock.advance(15_000);
    expect(seen).toEqual({ asked: times, lost: 0 });
    clock.advance(29_000);
    worker.receivedBytes += 1;
    clock.advance(1_000);
  }
  expect(seen.lost).toBe(0);
});

test("a worker that gives no sign of life for 30 s after the question is lost, once", () => {
  const { clock, seen, worker } = watched();
  clock.advance(15_000);
  worker.left = 1;
  clock.advance(29_999);
  expect(seen).toEqual({ asked: 1, lost: 0 });
  clock.advance(1);
  expect(seen).toEqual({ asked: 1, lost: 1 });
  expect(clock.pendingTimers).toBe(0);
});

test("a question has more time while it moves on behind other frames, and none when they stand still", () => {
  const { clock, seen, worker } = watched();
  worker.queued = 100;
  clock.advance(15_000);
  for (let times = 0; times < 5; times += 1) {
    worker.left += 1;
    clock.advance(30_000);
  }
  expect(seen).toEqual({ asked: 1, lost: 0 });
  clock.advance(30_000);
  expect(seen).toEqual({ asked: 1, lost: 1 });
});

test("a part of a long message is a sign of life", () => {
  const { clock, seen, worker } = watched();
  for (let times = 0; times < 10; times += 1) {
    clock.advance(20_000);
    worker.receivedBytes += 1;
  }
  expect(seen.lost).toBe(0);
});

test("nobody is asked after the end of the channel", () => {
  const { clock, seen, signs } = watched();
  signs.stop();
  clock.advance(3_600_000);
  expect(seen).toEqual({ asked: 0, lost: 0 });
});

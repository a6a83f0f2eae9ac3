import fc from "fast-check";
import { expect, test } from "vitest";
import type { Clock, Timer, TimerOptions } from "../../../../../src/core/index.ts";
import {
  Deadline,
  DeadlineQueue,
  deadlineQueueOf,
  type Expiring,
  nowhere,
  systemClock,
} from "../../../../../src/core/internal.ts";
import { ManualClock } from "../../../../../src/testing/index.ts";

class Item implements Expiring {
  dueMs = 0;
  duePlace: number = nowhere;
  dueOrder = 0;
  duePrevious: Expiring | undefined;
  dueNext: Expiring | undefined;
  readonly keepsProcessAlive: boolean;
  readonly onDue: () => void;

  constructor(onDue: () => void = () => undefined, keepsProcessAlive = true) {
    this.onDue = onDue;
    this.keepsProcessAlive = keepsProcessAlive;
  }
}

/** A manual clock whose timers can change whether they keep the process alive, as those of the machine can. */
class KeepingClock extends ManualClock {
  timersSet = 0;
  isAlive = false;

  override setTimer(delayMs: number, callback: () => void, options?: TimerOptions): Timer {
    this.timersSet += 1;
    this.isAlive = options?.keepAlive === true;
    const timer = super.setTimer(delayMs, callback);
    return {
      cancel: () => {
        this.isAlive = false;
        timer.cancel();
      },
      keepAlive: (isWanted) => {
        this.isAlive = isWanted;
      },
    };
  }
}

test("everything expires at its own time, the earlier first, of two at the same time the one that came first", () => {
  const step = fc.record({ isIn: fc.boolean(), which: fc.nat(19), afterMs: fc.nat(40), advanceMs: fc.nat(15) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 150 }), (steps) => {
      const clock = new ManualClock();
      const queue = new DeadlineQueue(clock);
      const expired: number[] = [];
      const model: { which: number; dueMs: number }[] = [];
      const items = Array.from({ length: 20 }, (_, which) => new Item(() => expired.push(which)));
      for (const { isIn, which, afterMs, advanceMs } of steps) {
        const item = items[which] ?? new Item();
        const place = model.findIndex((waiting) => waiting.which === which);
        if (!isIn) {
          expect(queue.remove(item)).toBe(place >= 0);
          if (place >= 0) model.splice(place, 1);
        } else if (place < 0) {
          const dueMs = clock.now() + afterMs;
          queue.add(item, new Deadline(dueMs, clock));
          model.push({ which, dueMs });
        }
        clock.advance(advanceMs);
        const due = model.filter(({ dueMs }) => dueMs <= clock.now()).sort((one, other) => one.dueMs - other.dueMs);
        expect(expired.splice(0)).toEqual(due.map((waiting) => waiting.which));
        for (const one of due) model.splice(model.indexOf(one), 1);
        expect(queue.size).toBe(model.length);
      }
    }),
  );
});

test("many with equal time limits share one timer, also one after the other", () => {
  const clock = new KeepingClock();
  const queue = new DeadlineQueue(clock);
  for (let at = 0; at < 1_000; at += 1) {
    const item = new Item();
    queue.add(item, new Deadline(clock.now() + 330_000, clock));
    if (at % 2 === 0) queue.remove(item);
    clock.advance(1);
  }
  expect([clock.timersSet, clock.pendingTimers]).toEqual([1, 1]);
});

test("nothing expires early when a timer comes before its time", () => {
  let fire = () => {};
  let nowMs = 0;
  const clock: Clock = {
    now: () => nowMs,
    wallNow: () => nowMs,
    setTimer: (_delayMs, callback) => {
      fire = callback;
      return { cancel: () => undefined };
    },
  };
  const expired: string[] = [];
  const queue = new DeadlineQueue(clock);
  queue.add(new Item(() => expired.push("due")), new Deadline(100, clock));
  nowMs = 99.6;
  fire();
  expect(expired).toEqual([]);
  nowMs = 100;
  fire();
  expect(expired).toEqual(["due"]);
});

test("the process is kept alive for as long as something waits that needs it, and not after", () => {
  const clock = new KeepingClock();
  const queue = new DeadlineQueue(clock);
  const [call, handler] = [new Item(undefined, true), new Item(undefined, false)];
  queue.add(handler, new Deadline(100, clock));
  expect(clock.isAlive).toBe(false);
  queue.add(call, new Deadline(200, clock));
  expect(clock.isAlive).toBe(true);
  clock.advance(100);
  expect([queue.size, clock.isAlive]).toEqual([1, true]);
  queue.remove(call);
  expect([queue.size, clock.isAlive]).toEqual([0, false]);
});

test("a clock whose timers can't change has none left when nothing waits, and one that keeps alive when it is needed", () => {
  const asked: (boolean | undefined)[] = [];
  class PlainClock extends ManualClock {
    override setTimer(delayMs: number, callback: () => void, options?: TimerOptions): Timer {
      asked.push(options?.keepAlive);
      return super.setTimer(delayMs, callback);
    }
  }
  const clock = new PlainClock();
  const queue = new DeadlineQueue(clock);
  const [call, handler] = [new Item(undefined, true), new Item(undefined, false)];
  queue.add(handler, new Deadline(100, clock));
  queue.add(call, new Deadline(200, clock));
  queue.remove(call);
  expect([asked, clock.pendingTimers]).toEqual([[false, true, false], 1]);
  queue.remove(handler);
  expect(clock.pendingTimers).toBe(0);
});

test("one that throws does not keep the others from expiring", () => {
  const clock = new ManualClock();
  const queue = new DeadlineQueue(clock);
  const expired: string[] = [];
  queue.add(
    new Item(() => {
      throw new Error("broken");
    }),
    new Deadline(10, clock),
  );
  queue.add(new Item(() => expired.push("next")), new Deadline(10, clock));
  expect(() => clock.advance(10)).toThrow("broken");
  clock.advance(0);
  expect(expired).toEqual(["next"]);
});

test("what expires may add and remove others", () => {
  const clock = new ManualClock();
  const queue = new DeadlineQueue(clock);
  const expired: string[] = [];
  const removed = new Item(() => expired.push("removed"));
  const later = new Item(() => expired.push("later"));
  const first = new Item(() => {
    queue.remove(removed);
    queue.add(later, new Deadline(clock.now() + 5, clock));
  });
  queue.add(first, new Deadline(10, clock));
  queue.add(removed, new Deadline(10, clock));
  clock.advance(14);
  expect(expired).toEqual([]);
  clock.advance(1);
  expect([expired, queue.size, clock.pendingTimers]).toEqual([["later"], 0, 0]);
});

test("each clock has one queue", () => {
  expect(deadlineQueueOf(systemClock)).toBe(deadlineQueueOf(systemClock));
  expect(deadlineQueueOf(new ManualClock())).not.toBe(deadlineQueueOf(new ManualClock()));
});

import { beforeEach, describe, expect, test } from "vitest";
import { systemClock } from "../../../src/core/internal.ts";
import type { GrpcWorkerAgentRuntimeHost } from "../../../src/grpc/index.ts";
import { createHostCounters } from "../../../src/host/counters.ts";
import { createListenerCounters } from "../../../src/transport/internal.ts";
import { EventBooks, type EventReport } from "../../soak/event-books.ts";
import { LiveTimers } from "../../soak/live-timers.ts";
import { admittedLosses, uncounted } from "../../soak/lost-events.ts";
import { compareSigns, type VitalSigns } from "../../soak/vital-signs.ts";
import { CountingClock } from "../../support/counting-clock.ts";
import { Note } from "../../support/load/messages.ts";

const topic = "news/default";
const reader = "r/default";
let nowMs: number;
let books: EventBooks;

const arrive = (number: number, publisher = "p") => books.note(reader, topic, Note({ publisher, number, text: "" }));
function publish(count: number): void {
  for (let left = count; left > 0; left--) {
    books.next("p", topic);
    books.published("p", topic);
  }
}

beforeEach(() => {
  nowMs = 10_000;
  books = new EventBooks(() => nowMs);
  books.addReader(topic, reader);
});

describe("the books of the soak's events", () => {
  test("add up when everything arrives", () => {
    publish(3);
    for (const number of [1, 2, 3]) arrive(number);
    expect(books.report()).toMatchObject({ expected: 3, delivered: 3, lostAtCuts: 0, unexplained: 0, wrong: [] });
    expect(books.isSettled).toBe(true);
  });

  test("find an event that is missing for no reason", () => {
    publish(4);
    arrive(1);
    arrive(4);
    expect(books.report()).toMatchObject({ expected: 4, delivered: 2, lostAtCuts: 0, unexplained: 2 });
  });

  test("find one that never came before its reader left", () => {
    publish(2);
    arrive(1);
    expect(books.isSettled).toBe(false);
    books.removeReader(topic, reader);
    expect(books.report()).toMatchObject({ delivered: 1, unexplained: 1 });
    expect(books.size).toBe(0);
  });

  test("find one that its reader never had", () => {
    publish(1);
    books.removeReader(topic, reader);
    expect(books.report()).toMatchObject({ delivered: 0, unexplained: 1 });
  });

  test.each([
    ["p", { sent: 1, due: 0 }],
    ["r", { sent: 0, due: 1 }],
  ])("put down to a cut of %s what is missing around it", (worker, lost) => {
    publish(1);
    arrive(1);
    books.cut(worker);
    publish(1);
    nowMs += 1;
    books.back(worker);
    publish(1);
    arrive(3);
    expect(books.report()).toMatchObject({ delivered: 2, lostAtCuts: 1, lostBy: { [worker]: lost }, unexplained: 0 });
  });

  test("excuse nothing that was published after the worker was back, nor long before the cut", () => {
    publish(1);
    nowMs += 1_500;
    books.cut("p");
    nowMs += 100;
    books.back("p");
    for (let number = 2; number <= 21; number++) {
      nowMs += 40;
      publish(1);
      if (number % 2 === 1) arrive(number);
    }
    expect(books.report()).toMatchObject({ delivered: 10, lostAtCuts: 0, unexplained: 11 });
  });

  test("find events that come twice or late", () => {
    publish(3);
    for (const number of [1, 3, 3, 2]) arrive(number);
    expect(books.report().wrong).toHaveLength(2);
  });
});

describe("the account of what is missing", () => {
  const counts = {
    ...{
      unreadableFrames: 0,
      unreadableEvents: 0,
      emptyReplays: 0,
      unroutedEvents: 0,
      eventsAfterStop: 0,
      duplicateEvents: 0,
      failedEventHandlers: 0,
      unexpectedAnswers: 0,
    },
    ...{ unsentAnswers: 0, reconnections: 0, lostEvents: 0, unconfirmedEvents: 0, unreadFrames: 0, overloadedSends: 0 },
    ...{ droppedEvents: 0, refusedCalls: 0, abandonedCalls: 0, guardedEvents: 0 },
  };
  const report = (lostBy: EventReport["lostBy"]): EventReport => ({ ...books.report(), lostBy });
  const host = { ...createHostCounters(), transport: createListenerCounters() } as ReturnType<
    GrpcWorkerAgentRuntimeHost["counters"]
  >;

  test("is settled where host and workers have counted as much", () => {
    const workers = [{ name: "t", counts: { ...counts, lostEvents: 1, unconfirmedEvents: 2 } }];
    const admitted = admittedLosses({ ...host, unroutableEvents: 3, unconfirmedEvents: 1 }, workers);
    expect(uncounted(report({ t: { sent: 9, due: 4 } }), admitted, 3)).toEqual([]);
  });

  test("finds what nobody has counted, even if as much is counted elsewhere", () => {
    const workers = [{ name: "other", counts: { ...counts, lostEvents: 100 } }];
    const admitted = admittedLosses({ ...host, unroutableEvents: 3 }, workers);
    expect(uncounted(report({ t: { sent: 1, due: 4 } }), admitted, 3)).toEqual([
      "1 events of t are missing, counted 0",
      "4 events for workers that were cut off are missing, counted 3",
    ]);
  });
});

test("signs of life tell a leak from noise", () => {
  const begin: VitalSigns = {
    heapBytes: 50e6,
    rssBytes: 200e6,
    resources: { TCPSocketWrap: 4 },
    tables: { channels: 2 },
  };
  expect(compareSigns(begin, { ...begin, heapBytes: 52e6, rssBytes: 220e6 })).toEqual([]);
  expect(compareSigns(begin, { ...begin, heapBytes: 90e6 })).toEqual([expect.stringMatching(/heap grew/)]);
  expect(compareSigns(begin, { ...begin, rssBytes: 400e6 })).toEqual([expect.stringMatching(/RSS grew/)]);
  expect(compareSigns(begin, { ...begin, resources: { TCPSocketWrap: 5 } })).toEqual([
    "resource TCPSocketWrap was 4 and is 5",
  ]);
  expect(compareSigns(begin, { ...begin, tables: { channels: 1 } })).toEqual(["table channels was 2 and is 1"]);
});

test("timers that keep no process alive are counted all the same, of a clock and of the process", () => {
  const timers = new LiveTimers();
  const clock = new CountingClock(systemClock);
  const before = timers.count;
  const ofTransport = setTimeout(() => undefined, 60_000).unref();
  const ofClock = clock.setTimer(60_000, () => undefined);
  expect([timers.count - before, clock.pendingTimers]).toEqual([2, 1]);
  clearTimeout(ofTransport);
  ofClock.cancel();
  expect(clock.pendingTimers).toBe(0);
});

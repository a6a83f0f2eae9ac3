import { beforeEach, describe, expect, test } from "vitest";
import { EventBooks } from "../../soak/event-books.ts";
import { compareSigns, type VitalSigns } from "../../soak/vital-signs.ts";
import { Note } from "../../support/load/messages.ts";

const topic = "news/default";
const reader = "r/default";
let books: EventBooks;

const arrive = (number: number, publisher = "p") => books.note(reader, topic, Note({ publisher, number, text: "" }));
function publish(count: number): void {
  for (let left = count; left > 0; left--) books.published("p", topic);
}

beforeEach(() => {
  books = new EventBooks();
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

  test.each(["p", "r"])("put down to a cut of %s what is missing around it", (worker) => {
    publish(3);
    arrive(1);
    books.cut(worker);
    arrive(3);
    expect(books.report()).toMatchObject({ delivered: 2, lostAtCuts: 1, unexplained: 0 });
  });

  test("find events that come twice or late", () => {
    publish(3);
    for (const number of [1, 3, 3, 2]) arrive(number);
    expect(books.report().wrong).toHaveLength(2);
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

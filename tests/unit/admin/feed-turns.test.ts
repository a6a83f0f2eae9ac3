import { expect, test } from "vitest";
import { FeedTurns, turnLimits } from "../../../src/admin/feed/feed-turns.ts";
import { nextTurn } from "../../../src/core/internal.ts";

test("readers that come back at once do a bounded part of their work in one turn of the event loop, and parties take turns", async () => {
  const turns = new FeedTurns();
  const done: string[] = [];
  const perTurn: number[] = [];
  const read = async (party: string): Promise<void> => {
    await turns.enter(party);
    done.push(party);
    turns.spend(turnLimits.events / 2, 0);
  };
  const readers = [...Array.from({ length: 8 }, () => read("greedy")), read("modest")];
  while (done.length < readers.length) {
    const before = done.length;
    await nextTurn();
    perTurn.push(done.length - before);
  }
  await Promise.all(readers);
  // Two before the first turn was over, and two in each.
  expect(Math.max(...perTurn)).toBeLessThanOrEqual(4);
  // Two of the greedy one were there before it.
  expect(done.indexOf("modest")).toBeLessThanOrEqual(3);
});

test("a reader of long events has the turn of many short ones", async () => {
  const turns = new FeedTurns();
  await turns.enter("a");
  turns.spend(1, turnLimits.events * turnLimits.charsPerEvent);
  let isIn = false;
  const waiting = turns.enter("b").then(() => {
    isIn = true;
  });
  await Promise.resolve();
  expect(isIn).toBe(false);
  await waiting;
});

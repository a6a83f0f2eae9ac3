import { expect, test } from "vitest";
import { LeftMail } from "../../../../../src/core/courier/mailboxes/left-mail.ts";
import type { AgentName, MailReceiver } from "../../../../../src/core/internal.ts";
import { ManualClock } from "../../../../../src/testing/index.ts";
import { RecordingLogger } from "../../../../support/recording-logger.ts";
import { turn } from "../courier-lab.ts";

/** Mailboxes that are left in a log whose answers a test gives. */
function openLeft() {
  const clock = new ManualClock();
  const logger = new RecordingLogger();
  const opened: string[] = [];
  const inMemory = new Set<string>();
  const state = { hasRoom: true, isServed: true };
  const asked: { after: number; answer(page: readonly MailReceiver[]): void; fail(error: Error): void }[] = [];
  const textOf = ({ type, key }: AgentName): string => `${type}/${key}`;
  const left = new LeftMail({
    ...{ clock, logger, onChange: () => undefined, retire: () => undefined },
    log: {
      receivers: (after) => new Promise((resolve, reject) => void asked.push({ after, answer: resolve, fail: reject })),
    },
    isServed: () => state.isServed,
    isInMemory: (agent) => inMemory.has(textOf(agent)),
    hasRoom: () => state.hasRoom,
    open: ({ mailbox }) => {
      opened.push(textOf(mailbox));
      inMemory.add(textOf(mailbox));
      return textOf(mailbox);
    },
  });
  /** Answers what was asked last, with mailboxes `type/key` at their places. */
  const answer = async (...mailboxes: readonly (readonly [string, number])[]): Promise<void> => {
    const page = mailboxes.map(([text, place]) => {
      const [type = "", key = ""] = text.split("/");
      return { mailbox: { type, key }, place, bytes: 1 };
    });
    asked.at(-1)?.answer(page);
    await turn();
  };
  return { clock, logger, left, opened, inMemory, state, asked, answer };
}

test("a mailbox that is left while the log is read behind its place is read in the same reading", async () => {
  const { left, opened, asked, answer } = openLeft();
  left.note("a", 1);
  expect([asked.length, left.isBusy]).toEqual([1, true]);
  left.note("b", 5);
  await answer();
  expect(asked.length).toBe(2);
  await answer(["a/1", 1], ["b/1", 5]);
  await answer();
  expect([opened, left.isBusy, left.isLeft("a"), left.isLeft("b")]).toEqual([["a/1", "b/1"], false, false, false]);
});

test("a mailbox that is in memory already is not brought there again", async () => {
  const { left, opened, inMemory, answer } = openLeft();
  inMemory.add("a/1");
  left.note("a", 1);
  await answer(["a/1", 1], ["a/2", 2], ["of another/1", 3]);
  expect(opened).toEqual(["a/2"]);
});

test("a log that does not answer is asked again 2 s later, and the courier is busy until then", async () => {
  const { clock, logger, left, opened, asked, answer } = openLeft();
  left.note("a", 1);
  asked[0]?.fail(new Error("no answer"));
  await turn();
  expect([logger.texts("error").length, left.isBusy]).toEqual([1, true]);
  clock.advance(1_999);
  expect(asked.length).toBe(1);
  clock.advance(1);
  await answer(["a/1", 1]);
  await answer();
  expect([opened, left.isBusy]).toEqual([["a/1"], false]);
});

test("what is read when the courier begins anew is passed over", async () => {
  const { left, opened, asked, answer } = openLeft();
  left.note("a", 1);
  left.clear();
  left.note("a", 1);
  expect(asked.length).toBe(2);
  asked[0]?.answer([{ mailbox: { type: "a", key: "old" }, place: 1, bytes: 1 }]);
  await turn();
  expect([opened, asked.length]).toEqual([[], 2]);
  await answer(["a/new", 1]);
  expect(opened).toEqual(["a/new"]);
});

test("1,000 types have an entry of their own, and the mailboxes of the others are read, too", async () => {
  const { clock, left, opened, state, answer } = openLeft();
  state.hasRoom = false;
  for (let index = 0; index < 1_500; index += 1) left.note(`t${index}`, 0);
  expect([left.noteAbsent("t999", "t999/1", 0), left.noteAbsent("t1000", "t1000/1", 0)]).toEqual(["first", false]);
  expect([left.isLeft("t999"), left.isLeft("t1499")]).toEqual([true, true]);
  state.hasRoom = true;
  left.noteRoom("t1", "t1/1");
  await answer(["t1/1", 1], ["t1499/1", 2]);
  await answer();
  expect(opened).toEqual(["t1/1", "t1499/1"]);
  expect([left.isLeft("t1"), left.isLeft("t1499"), clock.pendingTimers <= 1]).toEqual([false, false, true]);
});

test("all mailboxes of a type come into memory at once when one of its agents was reached", async () => {
  const { left, opened, state, asked, answer } = openLeft();
  state.hasRoom = false;
  left.note("a", 0);
  expect([left.noteAbsent("a", "a/1", 0), left.noteAbsent("a", "a/2", 0)]).toEqual(["first", "again"]);
  state.hasRoom = true;
  left.noteRoom("another", "another/1");
  expect(asked.length).toBe(0);
  left.notePresent("a");
  await answer(["a/1", 1], ["a/2", 2]);
  expect(opened).toEqual(["a/1", "a/2"]);
});

test("of a type that nobody serves one mailbox comes into memory, and all if it is served by then", async () => {
  for (const isServed of [false, true]) {
    const { clock, left, opened, state, answer } = openLeft();
    state.hasRoom = state.isServed = false;
    left.note("a", 0);
    left.noteAbsent("a", "a/1", 0);
    state.hasRoom = true;
    clock.advance(100);
    state.isServed = isServed;
    await answer(["a/1", 1], ["a/2", 2]);
    expect(opened).toEqual(isServed ? ["a/1", "a/2"] : ["a/1"]);
  }
});

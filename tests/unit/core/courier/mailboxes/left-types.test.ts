import { expect, it } from "vitest";
import { LeftMail } from "../../../../../src/core/courier/mailboxes/left-mail.ts";
import type { MailReceiver } from "../../../../../src/core/internal.ts";
import { ManualClock } from "../../../../../src/testing/index.ts";
import { RecordingLogger } from "../../../../support/recording-logger.ts";
import { turn } from "../courier-lab.ts";

/** The mailboxes of 990 types that have no space in memory. The log has pages of them, and one of the type `modest`. */
function openLeft() {
  const clock = new ManualClock();
  const opened: string[] = [];
  const types = Array.from({ length: 990 }, (_, at) => `greedy-${at}`);
  const listed = [...types, ...types, ...types, "modest", ...types];
  const receivers = listed.map((type, place): MailReceiver => ({ mailbox: { type, key: "k" }, place, bytes: 1 }));
  let looks = 0;
  const left = new LeftMail({
    ...{ clock, logger: new RecordingLogger(), isServed: () => true, isInMemory: () => false },
    log: { receivers: async (after) => receivers.slice(after + 1, after + 257) },
    hasRoom: ({ type }) => {
      looks += 1;
      return type === "modest";
    },
    open: ({ mailbox }) => {
      opened.push(mailbox.type);
      return mailbox.type;
    },
    retire: () => {},
    onChange: () => {},
  });
  const looksOf = (run: () => void): number => {
    const before = looks;
    run();
    return looks - before;
  };
  for (const type of types) left.note(type, 0);
  return { clock, left, opened, receivers, looksOf, looks: () => looks };
}

it("mail for agents of 990 types without space in memory costs each mailbox of others a few look-ups", () => {
  const { left, looksOf } = openLeft();
  expect(looksOf(() => left.noteRoom("another", "its mailbox"))).toBeLessThan(50);
  expect(looksOf(() => left.note("greedy-7", 0))).toBeLessThan(50);
});

it("mail of a type that has space is found behind that of 990 types without space, with a few look-ups for each message", async () => {
  const { clock, left, opened, receivers, looks } = openLeft();
  const before = looks();
  left.note("modest", 0);
  for (let waits = 0; !opened.includes("modest") && waits < 1_000; waits += 1) {
    clock.advance(100);
    await turn();
  }
  expect(opened).toEqual(["modest"]);
  expect(looks() - before).toBeLessThan(5 * receivers.length);
});

import { describe, expect, test } from "vitest";
import { AwaitedMail } from "../../../../src/core/courier/mailboxes/awaited-mail.ts";
import { createMailbox, type Mailbox } from "../../../../src/core/courier/mailboxes/mailbox.ts";
import { MailboxMemory } from "../../../../src/core/courier/mailboxes/mailbox-memory.ts";
import { DueCursor } from "../../../../src/core/courier/reminders/due-cursor.ts";
import { noTries } from "../../../../src/core/courier/retry-policy.ts";
import type { KeptMessage } from "../../../../src/core/internal.ts";
import type { StoredReminder } from "../../../../src/core/state/state-store.ts";

const KiB = 1_024;

function mailboxOf(type: string, key: string, party = ""): Mailbox {
  return createMailbox({ type, key }, party);
}

/** Puts mailboxes of about 1 KiB into memory as long as they have space. Returns them. */
function fill(memory: MailboxMemory, typeOf: (index: number) => string, party = ""): readonly Mailbox[] {
  const all: Mailbox[] = [];
  for (;;) {
    const mailbox = mailboxOf(typeOf(all.length), `${all.length}`, party);
    if (!memory.hasRoom(mailbox.name, party)) return all;
    memory.put(mailbox);
    all.push(mailbox);
  }
}

/** A message of so many bytes; nothing else of it plays a part. */
function messageOf(bytes: number): KeptMessage {
  return { frame: new Uint8Array(bytes) } as KeptMessage;
}

describe("the mailboxes of a courier in memory", () => {
  test("take 4 MiB, of which a type gets a half and an address two thirds", () => {
    const most = (4 * KiB * KiB) / (KiB + 4 * 2);
    const [all, ofType, ofParty] = [new MailboxMemory(), new MailboxMemory(), new MailboxMemory()];
    const count = fill(all, (index) => `t${index}`).length;
    expect([count <= most, count > 0.97 * most]).toEqual([true, true]);
    expect(fill(ofType, () => "t").length / count).toBeCloseTo(1 / 2, 1);
    expect(fill(ofParty, (index) => `t${index}`, "p").length / count).toBeCloseTo(2 / 3, 1);
    expect([ofParty.hasRoom({ type: "u", key: "k" }, "p"), ofParty.hasRoom({ type: "u", key: "k" }, "q")]).toEqual([
      ...[false, true],
    ]);
  });

  test("leave their space to others when they go", () => {
    const memory = new MailboxMemory();
    const all = fill(memory, () => "t", "p");
    for (const mailbox of all) memory.remove(mailbox);
    // One that is not there changes nothing.
    for (const mailbox of all) memory.remove(mailbox);
    expect(fill(memory, () => "t", "p").length).toBe(all.length);
  });

  test("are too full for more messages by their number or their bytes, and have to let some go a little later", () => {
    const fullness = (bytes: number, count: number) => {
      const memory = new MailboxMemory();
      const mailbox = mailboxOf("t", "k");
      for (let left = count; left > 0; left -= 1) memory.add(mailbox, messageOf(bytes));
      const before = [memory.isCrowded, memory.isPressed];
      memory.cut(mailbox, 0);
      return [...before, memory.isCrowded, memory.isPressed, mailbox.queue.length];
    };
    expect(fullness(1, 500)).toEqual([false, false, false, false, 0]);
    expect(fullness(1, 501)).toEqual([true, false, false, false, 0]);
    expect(fullness(1, 751)).toEqual([true, true, false, false, 0]);
    expect(fullness(KiB * KiB, 8)).toEqual([false, false, false, false, 0]);
    expect(fullness(KiB * KiB, 9)).toEqual([true, false, false, false, 0]);
    expect(fullness(KiB * KiB, 13)).toEqual([true, true, false, false, 0]);
  });

  test("give the longest first, and a new head begins with its first try", () => {
    const memory = new MailboxMemory();
    const [short, long] = [mailboxOf("t", "short"), mailboxOf("t", "long")];
    for (const mailbox of [short, long, long]) memory.add(mailbox, messageOf(1));
    expect(memory.longestFirst()).toEqual([long, short]);
    long.tries = { attempts: 3, waits: 2 };
    memory.shift(long);
    expect([long.tries, long.queue.length]).toEqual([noTries, 1]);
    memory.shift(long);
    expect(memory.longestFirst()).toEqual([short]);
  });
});

describe("the place where the next reading of due reminders begins", () => {
  // The cursor reads nothing else.
  const at = (dueMs: number) => ({ dueMs }) as StoredReminder;

  test("is behind the last one that was read, unless one was set meanwhile that is due before", () => {
    const cursor = new DueCursor();
    const last = at(10);
    cursor.beginReading();
    cursor.note(11);
    cursor.endReading(last);
    expect(cursor.after).toBe(last);
    cursor.beginReading();
    cursor.note(10);
    cursor.endReading(last);
    expect(cursor.after).toBeUndefined();
    cursor.beginReading();
    cursor.endReading(last);
    expect(cursor.after).toBe(last);
    cursor.endReading(undefined);
    expect(cursor.after).toBeUndefined();
  });

  test("is the first one again when one is set that is due before it, or when all is to be read", () => {
    const cursor = new DueCursor();
    cursor.beginReading();
    cursor.endReading(at(10));
    cursor.note(11);
    expect(cursor.after?.dueMs).toBe(10);
    cursor.note(10);
    expect(cursor.after).toBeUndefined();
    cursor.beginReading();
    cursor.endReading(at(10));
    cursor.reset();
    expect(cursor.after).toBeUndefined();
    cursor.beginReading();
    cursor.reset();
    cursor.endReading(at(10));
    expect(cursor.after).toBeUndefined();
  });
});

test("messages that a reader has not handed over yet are known by mailbox and id", () => {
  const awaited = new AwaitedMail();
  for (const [mailbox, id] of [
    ["a", "1"],
    ["a", "1"],
    ["a", "2"],
    ["a", "3"],
    ["b", "1"],
    ["c", "1"],
  ] as const)
    awaited.add(mailbox, id);
  for (const id of ["1", "2", "no such one", "3"]) awaited.delete("a", id);
  awaited.delete("b", "2");
  awaited.deleteAll("c");
  expect(awaited.isEmpty).toBe(false);
  awaited.delete("b", "1");
  expect(awaited.isEmpty).toBe(true);
});

import { describe, expect, it } from "vitest";
import { MailSums } from "../../../src/nats/log/mail-sums.ts";
import { RecentAppends } from "../../../src/nats/log/recent-appends.ts";
import { mostReported, ShardSums } from "../../../src/nats/log/shard-sums.ts";

const secret = new Uint8Array(16);
const from = { mailbox: 100, type: 100 };

function mailOf(place: number, parts: { readonly mailbox?: string; readonly bytes?: number } = {}) {
  return { place, type: "writer", mailbox: "m", bytes: 60, ...parts };
}

describe("sums of mail", () => {
  it("are never too small, and bounded in memory", () => {
    const sums = new MailSums(secret);
    const names = Array.from({ length: 2_000 }, (_, at) => `mailbox ${at}`);
    for (const name of names) sums.add(name, 10);
    expect(names.every((name) => sums.of(name) >= 10)).toBe(true);
    // The error is a part of the sum of all.
    expect(names.every((name) => sums.of(name) < 10 + 20_000 / 500)).toBe(true);
    for (const name of names) sums.add(name, -10);
    expect(names.every((name) => sums.of(name) === 0)).toBe(true);
  });

  it("of messages that end before they are counted have none of them", () => {
    const sums = new ShardSums(secret);
    sums.count([mailOf(1)], 1, from);
    sums.remove(mailOf(2));
    expect(sums.mailboxBytes("m")).toBe(60);
    sums.count([mailOf(2), mailOf(3)], 3, from);
    expect(sums.mailboxBytes("m")).toBe(120);
    sums.remove(mailOf(1));
    expect(sums.typeBytes("writer")).toBe(60);
  });

  it("of a shard tells the largest, and those that are small again no more", () => {
    const sums = new ShardSums(secret);
    const mail = Array.from({ length: 3 * mostReported }, (_, at) =>
      mailOf(at + 1, { mailbox: `m${at}`, bytes: 1_000 + at }),
    );
    sums.count(mail, mail.length, from);
    const { mailboxes } = sums.report(0, from);
    expect(mailboxes.size).toBe(mostReported);
    expect(mailboxes.get(`m${mail.length - 1}`)).toBeGreaterThan(2_000);
    for (const each of mail) sums.remove(each);
    expect(sums.report(0, from)).toMatchObject({ mailboxes: new Map(), types: new Map() });
  });

  it("of what a process has appended last until they are counted, and are bounded", () => {
    const recent = new RecentAppends();
    for (let place = 1; place <= 2_000; place += 1) recent.add(7, mailOf(place));
    expect(recent.mailboxBytes(7, "m")).toBe(512 * 60);
    recent.counted(7, 1_990);
    expect(recent.typeBytes(7, "writer")).toBe(10 * 60);
    recent.removed(7, 1_995);
    expect(recent.mailboxBytes(7, "m")).toBe(9 * 60);
    expect(recent.mailboxBytes(8, "m")).toBe(0);
  });
});

import { expect, test } from "vitest";
import { createHostCounters } from "../../../../src/host/counters.ts";
import { limits } from "../../../../src/host/limits.ts";
import { Observers } from "../../../../src/host/observer.ts";
import { QuotaCheck } from "../../../../src/host/quotas/quota-check.ts";
import { TokenBucket } from "../../../../src/host/quotas/token-bucket.ts";
import { UsageTable } from "../../../../src/host/quotas/usage-table.ts";
import { quotaRules } from "../../../../src/security/index.ts";
import { ManualClock } from "../../../../src/testing/index.ts";

const perSecond = quotaRules([
  { principal: "*", messagesPerSecond: 10 },
  { address: "*", messagesPerSecond: 1_000_000 },
]);

function check(clock: ManualClock): QuotaCheck {
  return new QuotaCheck({ quotas: perSecond, clock, counters: createHostCounters(), observers: new Observers() });
}

const nobody = { clientId: undefined };

test("a bucket lets a second's amount pass at once and on average, and one that is longer when nothing has passed before", () => {
  const bucket = new TokenBucket(10, 0);
  expect(bucket.waitMs(25, 0)).toBe(0);
  bucket.take(25);
  expect(bucket.waitMs(1, 0)).toBe(1_600);
  expect(bucket.waitMs(1, 1_599)).toBe(1);
  expect(bucket.waitMs(1, 1_600)).toBe(0);
  // What was not used in a minute is lost but for a second of it.
  expect(bucket.waitMs(10, 61_600)).toBe(0);
  bucket.take(10);
  expect(bucket.waitMs(1, 61_600)).toBe(100);
  expect(bucket.isFull(62_599)).toBe(false);
  expect(bucket.isFull(62_600)).toBe(true);
});

test("a caller without a session at hand pays for each message once, also where sessions take lots", () => {
  const clock = new ManualClock();
  const quotas = quotaRules([{ principal: "*", messagesPerSecond: 1_000 }]);
  const all = new QuotaCheck({ quotas, clock, counters: createHostCounters(), observers: new Observers() });
  const bob = { principal: { name: "bob" }, party: "10.0.0.1", clientId: "B" };
  for (let count = 0; count < 1_000; count += 1) expect(all.whyNotSend(bob, 10)).toBeUndefined();
  expect(all.whyNotSend(bob, 10)).toMatchObject({ retryMs: 1 });
});

test("a table forgets who has left and owes nothing, and no one who could begin anew by that", () => {
  const clock = new ManualClock();
  const all = check(clock);
  const bob = all.of({ name: "bob" }, "10.0.0.1");
  bob.channelOpened();
  expect(all.usages).toBe(2);
  for (let count = 0; count < 10; count += 1) expect(bob.whyNotMessages(1, 1, nobody)).toBeUndefined();
  bob.channelClosed();
  const again = all.of({ name: "bob" }, "10.0.0.1");
  expect(again.whyNotMessages(1, 1, nobody)).toMatchObject({ retryMs: 100 });
  clock.advance(1_000);
  again.settle();
  expect(all.usages).toBe(0);
});

test("a table forgets neither what is used nor who is known, however many names come and go", () => {
  const clock = new ManualClock();
  const all = check(clock);
  const known = all.of({ name: "known" }, "10.0.0.1");
  known.channelOpened();
  clock.advance(limits.knownAfterMs);
  known.channelClosed();
  const used = all.of({ name: "used" }, "10.0.0.2");
  used.count("types");
  for (let count = 0; count < 10; count += 1) used.whyNotMessages(1, 1, nobody);
  // Each name comes once and spends all that it has; so many that they can't all be kept.
  const names = Math.ceil(limits.keptUsageBytes / 600) + 1_000;
  for (let index = 0; index < names; index += 1) {
    const flood = all.of({ name: `flood-${index}` }, "10.0.0.3");
    flood.channelOpened();
    flood.whyNotMessages(10, 1, nobody);
    flood.channelClosed();
  }
  expect(all.usages).toBeLessThan(names);
  expect(all.of({ name: "known" }, "10.0.0.1").isKnown).toBe(true);
  expect(all.of({ name: "used" }, "10.0.0.2").whyNotMessages(1, 1, nobody)).toBeDefined();
  clock.advance(limits.knownMs);
  expect(all.of({ name: "known" }, "10.0.0.1").isKnown).toBe(false);
});

test("a table bounds the bytes of what nobody uses", () => {
  const clock = new ManualClock();
  const table = new UsageTable(perSecond, clock);
  for (let index = 0; index < 20_000; index += 1) {
    const usage = table.ofPrincipal({ name: `${index}-${"x".repeat(400)}` });
    usage.refresh(perSecond.revision, clock);
    usage.takeMessages(10, 1);
    table.settle(usage);
  }
  expect(table.keptBytes).toBeLessThanOrEqual(limits.keptUsageBytes);
  expect(table.size).toBeGreaterThan(1_000);
});

test("the address of a known principal takes no space from those that the table knows", () => {
  const clock = new ManualClock();
  const all = check(clock);
  const bob = all.of({ name: "bob" }, "10.0.0.1");
  bob.channelOpened();
  clock.advance(limits.knownAfterMs);
  bob.channelClosed();
  expect(all.usages).toBe(1);
  expect(all.of({ name: "bob" }, "10.0.0.2").isKnown).toBe(true);
});

test("what a client counts after its usage was forgotten counts for its principal all the same", () => {
  const quotas = quotaRules([{ principal: "*", types: 2, channels: 1 }]);
  const clock = new ManualClock();
  const all = new QuotaCheck({ quotas, clock, counters: createHostCounters(), observers: new Observers() });
  const [one, two] = [all.of({ name: "bob" }, "a"), all.of({ name: "bob" }, "b")];
  one.count("types");
  two.count("types");
  expect(one.whyNotMore("types", nobody)?.text).toMatch(/may have 2 agent types/);
  for (const quota of [one, two]) quota.count("types", -1);
  expect(all.usages).toBe(0);
  one.count("types");
  two.count("types");
  for (const quota of [one, two, all.of({ name: "bob" }, "c")])
    expect(quota.whyNotMore("types", nobody)?.text).toMatch(/may have 2 agent types/);
  for (const quota of [one, two]) quota.count("types", -1);
  one.channelOpened();
  expect(two.whyNotMore("channels", nobody)?.text).toMatch(/may have 1 channels/);
});

test("a principal gets no new second's messages by roles that change", () => {
  const clock = new ManualClock();
  const quotas = quotaRules([
    { role: "big", messagesPerSecond: 100 },
    { principal: "*", messagesPerSecond: 10 },
  ]);
  const all = new QuotaCheck({ quotas, clock, counters: createHostCounters(), observers: new Observers() });
  const send = (count: number, ...roles: string[]) =>
    all.of({ name: "bob", roles }, "a").whyNotMessages(count, 1, nobody);
  clock.advance(1_000);
  expect(send(10)).toBeUndefined();
  expect(send(1)).toMatchObject({ retryMs: 100 });
  expect(send(1, "big")).toMatchObject({ retryMs: 10 });
  clock.advance(500);
  expect(send(50, "big")).toBeUndefined();
  expect(send(1)).toMatchObject({ retryMs: 100 });
});

test("a full table drops those that spend nothing before one that spends again and again", () => {
  const clock = new ManualClock();
  const all = check(clock);
  const spend = (name: string) => all.of({ name }, "10.0.0.3").charge(10, 1);
  const long = "x".repeat(500);
  const names = Math.ceil(limits.keptUsageBytes / 1_600) + 1_000;
  let spent = 0;
  for (let index = 0; index < names; index += 1) {
    spend(`${long}${index}`);
    if (index % 100 !== 0) continue;
    spend("busy");
    spent += 10;
  }
  const wait = (name: string) => all.of({ name }, "10.0.0.3").whyNotMessages(1, 1, nobody);
  expect(wait("busy")).toMatchObject({ retryMs: (spent - 10 + 1) * 100 });
  expect(wait(`${long}0`)).toBeUndefined();
});

test("a principal with other roles, and changed quotas, have other limits at once", () => {
  const clock = new ManualClock();
  const roles = quotaRules([
    { role: "big", channels: 2 },
    { principal: "*", channels: 1 },
  ]);
  let now = roles;
  const quotas = {
    get revision() {
      return now.revision;
    },
    ofPrincipal: (principal: { readonly name: string }) => now.ofPrincipal(principal),
    ofAddress: (address: string) => now.ofAddress(address),
  };
  const all = new QuotaCheck({ quotas, clock, counters: createHostCounters(), observers: new Observers() });
  const small = all.of({ name: "bob" }, "a");
  small.channelOpened();
  expect(small.whyNotMore("channels", nobody)?.text).toMatch(/^This principal may have 1 channels at once\./);
  const big = all.of({ name: "bob", roles: ["big"] }, "a");
  expect(big.whyNotMore("channels", nobody)).toBeUndefined();
  now = quotaRules([{ address: "*", channels: 1 }]);
  expect(big.whyNotMore("channels", nobody)?.text).toMatch(/^This address/);
});

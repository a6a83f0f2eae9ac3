import { expect, it } from "vitest";
import { BatchRunner } from "../../../../src/host/batch-runner.ts";
import type { EndWait } from "../../../../src/host/calls/rings/ring-messages.ts";
import { type ReportingHost, RingSearch } from "../../../../src/host/calls/rings/ring-search.ts";
import { createHostCounters } from "../../../../src/host/counters.ts";
import { limits } from "../../../../src/host/limits.ts";
import { parsePath } from "../../../../src/protocol/internal.ts";
import { ManualClock } from "../../../../src/testing/index.ts";
import { createMemoryAccountant } from "../../../../src/transport/internal.ts";
import { Gate } from "../../../support/gate.ts";
import { TurnClock } from "../../../support/turn-clock.ts";

function setUp(maxBytes = 1024 ** 3) {
  const counters = createHostCounters();
  const accountant = createMemoryAccountant({ maxBytes });
  const ends: EndWait[] = [];
  const clock = new TurnClock();
  const search = new RingSearch({
    ...{ clock, counters, batches: new BatchRunner(clock) },
    ask: async () => ({ answers: [], isComplete: false }),
    end: async (_hostId, end) => void ends.push(end),
  });
  const host = (hostId: string): ReportingHost => {
    const account = accountant.openAccount({ party: hostId, name: hostId, giveWay: () => undefined });
    return { hostId, account };
  };
  const report = (from: ReportingHost, id: string, path = "t@a/k"): void =>
    search.report(from, id, { path: parsePath(path), behind: ["none"] });
  return { counters, accountant, search, host, report, ends };
}

it("keeps 10,000 waiting calls of one host, and has a place for those of another", () => {
  const { counters, search, host, report } = setUp();
  const [greedy, modest] = [host("greedy"), host("modest")];
  for (let count = 0; count <= limits.stuckCalls; count += 1) report(greedy, `g-${count}`);
  expect(search.size).toBe(limits.stuckCalls);
  expect(counters.unwatchedCalls).toBe(1);
  report(modest, "m-1");
  // One that is known may be told anew.
  report(greedy, "g-0");
  expect(search.size).toBe(limits.stuckCalls + 1);
  expect(counters.unwatchedCalls).toBe(1);
});

it("gives one host two thirds of the bytes", () => {
  const { counters, search, host, report, accountant } = setUp();
  const [greedy, modest] = [host("greedy"), host("modest")];
  const long = Array.from(
    { length: 32 },
    (_, turn) => `${"t".repeat(60)}${turn}@${"a".repeat(60)}/${"k".repeat(60)}`,
  ).join();
  for (let count = 0; counters.unwatchedCalls === 0; count += 1) report(greedy, `g-${count}`, long);
  expect(accountant.heldBytes).toBeGreaterThan(limits.toldWaitBytes * 0.6);
  expect(accountant.heldBytes).toBeLessThan(limits.toldWaitBytes * 0.67);
  const before = search.size;
  report(modest, "m-1", long);
  expect(search.size).toBe(before + 1);
});

it("charges each report to the link of its host until it is forgotten", () => {
  const { counters, accountant, search, host, report } = setUp(100_000);
  const one = host("one");
  const before = accountant.heldBytes;
  report(one, "1-1");
  report(one, "1-1", "t@a/k,u@b/k");
  report(one, "1-2");
  expect(accountant.heldBytes).toBeGreaterThan(before + 2 * 500);
  search.withdraw(one, "1-1");
  search.withdraw(one, "unknown");
  search.hostGone(one);
  search.hostGone(one);
  expect([search.size, accountant.heldBytes]).toEqual([0, before]);
  for (let count = 0; counters.unwatchedCalls === 0; count += 1) report(one, `1-${count}`);
  expect(accountant.heldBytes).toBeLessThanOrEqual(100_000);
});

it("ends no call of a ring for which no host answers", async () => {
  const { search, host, ends } = setUp();
  const [one, two] = [host("one"), host("two")];
  search.report(one, "1-1", { path: parsePath("tb@b/k"), behind: ["ta"] });
  search.report(two, "2-1", { path: parsePath("ta@a/k"), behind: ["tb"] });
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
  expect(ends).toEqual([]);
  expect(search.size).toBe(2);
});

it("bounds the rings that wait for the answers of hosts, and comes back to all others a second later", async () => {
  const [gate, clock] = [new Gate(), new ManualClock()];
  const asked: string[] = [];
  const search = new RingSearch({
    ...{ clock, counters: createHostCounters(), batches: new BatchRunner(clock) },
    ask: async ({ waits }) => {
      await gate.opened;
      asked.push(...waits.map(({ id }) => id));
      return { answers: [], isComplete: false };
    },
    end: async () => undefined,
  });
  const from: ReportingHost = { hostId: "one", account: undefined };
  const others = Array.from({ length: 31 }, (_, turn) => `other${turn}@a/k`);
  const told = (token: string, behind: string) => ({
    path: parsePath([`${token}@a/k`, ...others].join()),
    behind: [behind],
  });
  const report = (id: string, waiting: ReturnType<typeof told>): void => {
    search.report(from, id, waiting);
    clock.advance(0);
  };
  const settled = async (): Promise<void> => {
    for (let turn = 0; turn < 1_000; turn += 1) await Promise.resolve();
  };
  // The host tells of one ring again and again, each time with 68 ids.
  const times = Math.ceil((limits.suspectedRingIds + limits.ringCheckIds) / 68) + 20;
  report("1-1", told("tb", "ta"));
  const again = told("ta", "tb");
  for (let count = 0; count < times; count += 1) report("1-2", again);
  report("1-3", told("td", "tc"));
  report("1-4", told("tc", "td"));
  gate.open();
  await settled();
  expect(asked.length).toBeGreaterThan(0);
  expect(asked).not.toContain("1-4");
  // All hosts are asked twice for two waits of each ring.
  expect((asked.length / 4) * 68).toBeLessThanOrEqual(limits.suspectedRingIds + limits.ringCheckIds);
  clock.advance(limits.ringAgainMs);
  await settled();
  expect(asked).toContain("1-4");
});

import { expect, test } from "vitest";
import type { CallRow, SubscriptionRow, WorkerRow } from "../../../src/admin/internal.ts";
import { type HostFindings, ratesOf, reportOf } from "../../../src/cli/status/host-report.ts";
import { warningsOf } from "../../../src/cli/status/warnings.ts";
import { createHostCounters } from "../../../src/host/counters.ts";

const nowMs = Date.parse("2026-01-01T12:00:00Z");
const gauges = { heldBytes: 0, queuedBytes: 0, pendingCalls: 0 };
const calm = {
  host: {
    ...{ name: "h", version: "1.0.0", pid: 1, address: "127.0.0.1:50051", state: "sqlite:f" },
    ...{ startedAt: "2026-01-01T00:00:00Z", now: "2026-01-01T12:00:00Z", hostId: null },
  },
  ...{ health: "serving", nowMs, settings: {}, workers: [], oldCalls: [], failures: [], deadLetters: [] },
  ...{ hasMoreDeadLetters: false, durable: [], cluster: undefined },
  counters: { ...createHostCounters(), ...gauges },
  rates: { sampleMs: 1_000, calls: 0, answers: 0, failedCalls: 0, events: 0, deliveries: 0, commits: 0 },
} as unknown as HostFindings;

function warnings(found: Partial<HostFindings>): readonly string[] {
  return warningsOf({ ...calm, ...found }, "1.0.0");
}

test("nothing is said about a host that is well", () => {
  expect(warnings({})).toEqual([]);
});

test.each([
  ["a lost store", { health: "store-lost" }, /can't use its state store.*disk has space/],
  ["isolation", { health: "isolated" }, /lost touch with its cluster.*NATS/],
  [
    "memory that is nearly full",
    { counters: { ...calm.counters, heldBytes: 500 * 1_024 ** 2 } },
    /keeps 500\.0 MiB of the 512\.0 MiB.*--max-memory-bytes/,
  ],
  [
    "a worker that reads slowly",
    { workers: [{ workerId: "w\u001b", address: "10.0.0.1:1", queuedBytes: 20 * 1_024 ** 2 } as WorkerRow] },
    /worker w\\u001b at 10\.0\.0\.1:1 reads too slowly: 20\.0 MiB wait/,
  ],
  [
    "calls that wait for long",
    {
      oldCalls: [1, 2].map((n) => ({ type: "writer", ageMs: n * 20_000, isStuck: n === 1, targetId: "w" }) as CallRow),
    },
    /^2 calls to writer wait at its workers, the oldest for 40 s, 1 of them for their turn/,
  ],
  [
    "types without a worker whose events are kept",
    { durable: [{ type: "absent", topic: "orders", principal: null, isServed: false } satisfies SubscriptionRow] },
    /No worker serves absent.*troupe subscriptions remove absent --all/,
  ],
  [
    "messages that could not be delivered",
    { deadLetters: [{}], hasMoreDeadLetters: true } as unknown as Partial<HostFindings>,
    /More than 1 message could not be delivered.*troupe dead replay/,
  ],
  [
    "a host that everybody may join",
    { settings: { insecure: true }, host: { ...calm.host, address: "0.0.0.0:50051" } },
    /Everybody who reaches 0\.0\.0\.0:50051 may join/,
  ],
  ["another version", { host: { ...calm.host, version: "2.0.0" } }, /has version 2\.0\.0, and this command 1\.0\.0/],
] as const)("troupe status warns of %s, and says what to do", (_what, found, says) => {
  const said = warnings(found as Partial<HostFindings>);
  expect(said).toHaveLength(1);
  expect(said[0]).toMatch(says);
});

test("failures count for ten minutes, those of one kind and code together", () => {
  const failure = (minutesAgo: number, code: string, type: string | null = "writer") => ({
    ...{ number: 1, kind: "call" as const, code, type, key: null, topic: null, detail: "why", clientId: null },
    ...{ traceId: null, host: null, time: new Date(nowMs - minutesAgo * 60_000).toISOString() },
  });
  const failures = [failure(1, "timed-out"), failure(2, "timed-out"), failure(3, "overloaded"), failure(11, "old")];
  expect(warnings({ failures })).toEqual([
    expect.stringMatching(/^2 failures of the kind call about writer in the last 10 min \(timed-out\): why\./),
    expect.stringMatching(/^1 failure of the kind call about writer in the last 10 min \(overloaded\): why\./),
  ]);
  const many = Array.from({ length: 8 }, (_, at) => failure(1, `code-${at}`));
  expect(warnings({ failures: many })).toHaveLength(6);
  expect(warnings({ failures: many }).at(-1)).toBe("3 more kinds of failures are recent.");
});

test("a detail that is a sentence has one full stop", () => {
  const lost = {
    ...{ number: 1, kind: "session" as const, code: "lost", type: null, key: null, topic: null, clientId: null },
    ...{ traceId: null, host: null, time: new Date(nowMs).toISOString(), detail: "the stream ended. It was closed." },
  };
  expect(warnings({ failures: [lost] })[0]).toMatch(/: the stream ended\. It was closed\. See more /);
});

test("what is wrong at another host names it", () => {
  const host = { hostId: "h2", name: "eu-2" };
  const worker = { workerId: "w", address: "10.0.0.1:1", queuedBytes: 20 * 1_024 ** 2, host } as WorkerRow;
  expect(warnings({ workers: [worker] })[0]).toMatch(/^The worker w at 10\.0\.0\.1:1 of the host eu-2 reads/);
  const failure = { kind: "call" as const, code: "c", type: "t", detail: "why", time: new Date(nowMs).toISOString() };
  const failures = [{ ...failure, number: 1, key: null, topic: null, clientId: null, traceId: null, host }];
  expect(warnings({ failures })[0]).toMatch(/See more with troupe tail --kind call --name eu-2\.$/);
});

test("a report has the workers of its host, and sums over the hosts of the cluster", () => {
  const at = (hostId: string) => ({ workerId: hostId, isTroupe: true, host: { hostId, name: "" } }) as WorkerRow;
  const hosts = ["h1", "h2", "h3"].map((hostId) => ({
    ...{ hostId, isAsked: hostId === "h1" },
    status: hostId === "h3" ? null : { workers: 2, calls: 3, agents: 4, maxHeldBytes: 1 },
  }));
  const cluster = { name: "c", hosts, problems: [], store: null } as unknown as NonNullable<HostFindings["cluster"]>;
  const host = { ...calm.host, hostId: "h1" };
  const report = reportOf({ ...calm, host, workers: [at("h1"), at("h2"), at("h2")], cluster }, []);
  expect(report.workers).toEqual({ total: 1, stock: 0, draining: 0 });
  expect(report.cluster).toMatchObject({ hosts: 3, workers: 4, calls: 6, agents: 8 });
});

test("rates are differences of counters over the time that has passed", () => {
  const before = { ...calm.counters, calls: 100, deliveredEvents: 7 };
  const after = { ...before, calls: 150, deliveredEvents: 7 };
  expect(ratesOf(before, after, 500)).toMatchObject({ calls: 100, deliveries: 0 });
});

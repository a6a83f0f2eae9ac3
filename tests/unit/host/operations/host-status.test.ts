import { expect, test } from "vitest";
import { encodeJson, type HostStatus, readGrace, readHostStatus } from "../../../../src/host/operations/host-status.ts";

const link = {
  ...{ hostId: "h2", isOpen: true, isAccepted: false, queuedFrames: 1, queuedBytes: 2, droppedEvents: 3 },
  roundTripMs: 0.5,
};
const status: HostStatus = {
  ...{ life: 1, isServing: true, leaseLeftMs: 19_000, workers: 2, stockWorkers: 1, types: 3, subscriptions: 4 },
  ...{ agents: 5, calls: 6, queuedBytes: 7, heldBytes: 8, maxHeldBytes: 9, shards: [0, 31], links: [link] },
  counters: { joins: 2 },
  ...{ version: "1.2.3", protocol: { oldest: 1, newest: 2 } },
};

test("a host's status comes as it was told, and fields of a later version are passed over", () => {
  expect(readHostStatus(encodeJson(status))).toEqual(status);
  const later = { ...status, links: [{ ...link, roundTripMs: null, later: "x" }], later: [] };
  expect(readHostStatus(encodeJson(later))).toEqual({ ...status, links: [{ ...link, roundTripMs: null }] });
});

test("a host that is too old to tell its version, or tells what none is, has none", () => {
  const { version: _, protocol: __, ...old } = status;
  const told = [old, { ...old, version: "\u001b[2J", protocol: { oldest: "1" } }, { ...old, version: 1, protocol: [] }];
  for (const one of told) expect(readHostStatus(encodeJson(one))).toMatchObject({ version: null, protocol: null });
});

test("a status that can't be, or is too long, is not believed", () => {
  const wrong: readonly object[] = [
    { ...status, workers: -1 },
    { ...status, calls: "6" },
    { ...status, isServing: undefined },
    { ...status, shards: [1.5, "x"] },
    { ...status, shards: Array.from({ length: 2_000 }, () => 1) },
    { ...status, links: [{ ...link, hostId: "x".repeat(300) }] },
    { ...status, links: [{ ...link, roundTripMs: "quick" }] },
    { ...status, links: Array.from({ length: 300 }, () => link) },
    { ...status, counters: [] },
    [status],
  ];
  for (const one of wrong) expect(readHostStatus(encodeJson(one))).toBeUndefined();
  expect(readHostStatus(new Uint8Array([0xff]))).toBeUndefined();
  expect(readHostStatus(encodeJson({ ...status, filler: "x".repeat(300_000) }))).toBeUndefined();
});

test("counters of a status are bounded, and have names alone", () => {
  const counters = Object.fromEntries(Array.from({ length: 300 }, (_, at) => [`c${at}`, at]));
  expect(Object.keys(readHostStatus(encodeJson({ ...status, counters }))?.counters ?? {})).toHaveLength(200);
  const odd = { "\u001b[2J": 1, good: 2, bad: "x" };
  expect(readHostStatus(encodeJson({ ...status, counters: odd }))?.counters).toEqual({ good: 2 });
});

test("the time of a drain is a number of milliseconds, at most a day", () => {
  expect([readGrace(encodeJson({})), readGrace(encodeJson({ graceMs: 5 }))]).toEqual([undefined, 5]);
  for (const graceMs of [-1, "5", 86_400_001, null]) expect(readGrace(encodeJson({ graceMs }))).toBe("invalid");
  expect(readGrace(new Uint8Array(0))).toBe("invalid");
});

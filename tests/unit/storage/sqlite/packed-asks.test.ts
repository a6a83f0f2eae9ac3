import { expect, test } from "vitest";
import type { Commit, StateRecord } from "../../../../src/core/internal.ts";
import type { Ask, Reply } from "../../../../src/storage/sqlite/asks.ts";
import { packAsks, packReplies, unpackAsks, unpackReplies } from "../../../../src/storage/sqlite/packed-asks.ts";

const bytes = (...values: number[]) => new Uint8Array(values);

function commitOf(parts: Partial<Commit>): Commit {
  return {
    agent: { type: "counter", key: "k" },
    epoch: undefined,
    expected: { at: "nothing" },
    write: { at: "put", contentType: "application/json", schemaVersion: 1, data: bytes(1, 2, 3) },
    ...{ reminders: [], mail: [], remembered: [] },
    ...parts,
  };
}

function askOf(id: number, ...commits: Commit[]): Ask {
  return { kind: "commit", id, bytes: 900, nowMs: 1_790_000_000_000.5, commits };
}

function recordOf(parts: Partial<StateRecord>): StateRecord {
  return {
    eTag: "x-1",
    revision: 7,
    schemaVersion: 2,
    contentType: "application/json",
    data: bytes(1),
    savedAtMs: 1_790_000_000_000.5,
    epoch: undefined,
    ...parts,
  };
}

test("asks come out of a packet as they went in, in their order", () => {
  const asks: Ask[] = [
    askOf(1, commitOf({})),
    { kind: "load", id: 2, bytes: 100, agent: { type: "a", key: "b" }, unless: undefined, maxBytes: 2 ** 31 - 1 },
    askOf(3, commitOf({ agent: { type: "\ud800", key: 'a"\u0000\n' }, expected: { at: "version", eTag: "x-1" } })),
    askOf(4, commitOf({ epoch: { generation: 1_790_000_000, era: 2, number: 3 }, expected: { at: "anything" } })),
    askOf(5, commitOf({ write: { at: "delete" } })),
    askOf(6, commitOf({ reminders: [{ at: "cancel", name: "r" }] })),
    askOf(7, commitOf({ remembered: [{ id: "m", principal: "", answer: bytes(9) }] })),
    askOf(8, commitOf({}), commitOf({})),
    askOf(9, commitOf({ write: { at: "put", contentType: "", schemaVersion: 0, data: bytes() } })),
    { kind: "load", id: 11, bytes: 100, agent: { type: "\ud800", key: 'a"\u0000\n' }, unless: "x-1", maxBytes: 0 },
    { kind: "load", id: 12, bytes: 100, agent: { type: "", key: "" }, unless: "", maxBytes: 16_384 },
    { kind: "reminders", id: 13, bytes: 100, agent: { type: "a", key: "b" }, query: {} },
    askOf(10, commitOf({ write: { at: "put", contentType: "x", schemaVersion: 2, data: bytes(4, 5) } })),
  ];
  expect(unpackAsks(packAsks(asks))).toEqual(asks);
});

test("replies come out of a packet as they went in", () => {
  const replies: Reply[] = [
    { id: 1, value: [{ at: "committed", eTag: "x-1", revision: 7 }] },
    { id: 2, value: undefined },
    { id: 3, value: [{ at: "conflict", eTag: "x-0" }] },
    { id: 4, failure: { storeCode: "full", message: "full" } },
    { id: 5, value: [] },
    { id: 6, value: [{ name: "r" }] },
    { id: 7, value: ["kept"] },
    { id: 8, value: undefined },
    { id: 9, value: recordOf({ data: bytes(1, 2, 3) }) },
    { id: 10, value: recordOf({ epoch: { generation: 1_790_000_000, era: 2, number: 3 }, data: bytes() }) },
    { id: 11, value: recordOf({ contentType: '"\\ud800\u0000', data: new Uint8Array(100_000).fill(7) }) },
    { id: 12, value: "unchanged" },
    { id: 13, value: { at: "larger", bytes: 70_000 } },
    { id: 14, value: recordOf({ data: bytes(4, 5) }) },
  ];
  const unpacked = unpackReplies(packReplies(replies));
  expect([...unpacked].sort((one, other) => one.id - other.id)).toEqual(replies);
});

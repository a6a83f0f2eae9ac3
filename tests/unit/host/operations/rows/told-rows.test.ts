import { describe, expect, test } from "vitest";
import { encodeJson } from "../../../../../src/host/operations/host-status.ts";
import { failureRows } from "../../../../../src/host/operations/rows/failure-rows.ts";
import {
  encodeRows,
  encodeRowsQuestion,
  readRows,
  readRowsQuestion,
} from "../../../../../src/host/operations/rows/told-rows.ts";
import { type WorkerRow, workerRows } from "../../../../../src/host/operations/rows/worker-rows.ts";

const list = workerRows({ inspect: () => Promise.reject(new Error("No test lists workers of this host.")) });
const failures = failureRows(() => undefined);
const worker = (workerId: string, more: Partial<WorkerRow> = {}): WorkerRow => ({
  ...{ workerId, name: "n", version: "1.0.0", labels: { zone: "eu" }, clientIds: ["c"], types: ["t"], typeCount: 1 },
  ...{ claims: 0, leaving: 0, isDraining: false, outstanding: 0, address: "a:1", isTroupe: true, queuedBytes: 0 },
  principal: "ada",
  ...more,
});
const asked = { after: undefined, limit: 10 };
const said = (rows: readonly unknown[], more: object = {}) =>
  readRows(list, encodeJson({ rows, hasMore: false, ...more }), asked);

describe("what another host tells of its list", () => {
  test("is read as it was said, and fields that are not known are passed over", () => {
    const page = { rows: [worker("a"), worker("b", { version: undefined })], hasMore: true, forgotten: 3 };
    expect(readRows(list, encodeRows(list, page, 1_000_000), asked)).toEqual(page);
    expect(said([{ ...worker("a"), later: 1 }])).toEqual({ rows: [worker("a")], hasMore: false, forgotten: undefined });
  });

  test("is cut: its lists, and its texts", () => {
    const types = Array.from({ length: 300 }, (_, at) => `${at}-${"x".repeat(1_100)}`);
    const labels = Object.fromEntries(types.map((type) => [type, type]));
    const [row] = said([worker("a", { name: "n".repeat(5_000), types, clientIds: types, labels })])?.rows ?? [];
    expect([row?.name.length, row?.types.length, row?.clientIds.length]).toEqual([1_024, 100, 100]);
    expect(Math.max(...(row?.types ?? []).map(({ length }) => length))).toBe(1_024);
    expect(Object.keys(row?.labels ?? {})).toHaveLength(100);
  });

  test("ends at the bound of bytes, with one row at least", () => {
    const rows = ["a", "b", "c"].map((id) => worker(id, { name: "\u0001".repeat(1_024) }));
    const bytes = encodeRows(list, { rows, hasMore: false }, 1);
    expect(readRows(list, bytes, asked)).toMatchObject({ rows: [{ workerId: "a" }], hasMore: true });
    expect(encodeRows(list, { rows, hasMore: false }, 15_000).length).toBeLessThan(15_000);
  });

  test.each([
    ["no JSON", new TextEncoder().encode("rows")],
    ["no list", encodeJson({ rows: {}, hasMore: false })],
    ["no word of whether there is more", encodeJson({ rows: [] })],
    [
      "more rows than were asked for",
      encodeJson({ rows: Array.from({ length: 11 }, (_, at) => worker(`w${at + 10}`)), hasMore: false }),
    ],
    ["a row of another kind", encodeJson({ rows: [worker("a"), 7], hasMore: false })],
    ["a field of another kind", encodeJson({ rows: [{ ...worker("a"), claims: "many" }], hasMore: false })],
    ["a negative number", encodeJson({ rows: [worker("a", { queuedBytes: -1 })], hasMore: false })],
    ["rows in another order", encodeJson({ rows: [worker("b"), worker("a")], hasMore: false })],
    ["one row twice", encodeJson({ rows: [worker("a"), worker("a")], hasMore: false })],
    ["more than 4 MiB", encodeJson({ rows: [worker("a", { name: "n".repeat(4_200_000) })], hasMore: false })],
  ])("is not believed: %s", (_what, bytes) => {
    expect(readRows(list, bytes, asked)).toBeUndefined();
  });

  test("does not go back, nor on without a row", () => {
    const bytes = encodeJson({ rows: [worker("b")], hasMore: true });
    expect(readRows(list, bytes, { after: "a", limit: 10 })).toMatchObject({ hasMore: true });
    expect(readRows(list, bytes, { after: "b", limit: 10 })).toBeUndefined();
    expect(said([], { hasMore: true })).toMatchObject({ hasMore: false });
  });

  test("goes down for failures, whose times have one form", () => {
    const failure = (number: number, time = "2026-01-01T00:00:00.000Z") => ({
      ...{ number, time, kind: "call", type: "t", key: "k", topic: null, code: "c", detail: "d", clientId: null },
      traceId: null,
    });
    const read = (rows: readonly unknown[]) => readRows(failures, encodeJson({ rows, hasMore: false }), asked);
    expect(read([failure(2), failure(1)])?.rows).toHaveLength(2);
    expect(read([failure(1), failure(2)])).toBeUndefined();
    expect(read([failure(1, "now")])).toBeUndefined();
  });
});

describe("what another host asks of a list", () => {
  const question = {
    filter: { type: "t", minAgeMs: 7 },
    principal: undefined,
    after: undefined,
    limit: 5,
    bytes: 1_000,
  };

  test("is read as it was said, within the bounds of this host", () => {
    const principal = { name: "ada", roles: ["ops"], attributes: { team: "x" } };
    const whole = { ...question, principal, after: "w" };
    expect(readRowsQuestion(encodeRowsQuestion(whole), list)).toEqual(whole);
    const greedy = readRowsQuestion(encodeRowsQuestion({ ...question, limit: 1e9, bytes: 1e12 }), list);
    expect(greedy).toMatchObject({ limit: 500, bytes: 1024 * 1024 });
  });

  test.each([
    ["a place of another list", { after: 7 }],
    ["no number of rows", { limit: 0 }],
    ["a filter of another kind", { filter: { type: {} } }],
    ["a principal without a name", { principal: { name: "" } }],
    ["a principal that is a text", { principal: "ada" }],
    // One without its roles would be denied less.
    ["a role that is too long", { principal: { name: "ada", roles: ["r".repeat(1_025)] } }],
    ["roles beyond the bound", { principal: { name: "ada", roles: Array.from({ length: 1_001 }, String) } }],
    ["the operator as null", { principal: null }],
  ])("is refused for %s", (_what, more) => {
    expect(readRowsQuestion(encodeJson({ ...question, ...more }), list)).toBeUndefined();
  });
});

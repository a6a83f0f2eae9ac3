import { describe, expect, it } from "vitest";
import type { HeldClaim } from "../../../../src/cluster/internal.ts";
import { BatchRunner } from "../../../../src/host/batch-runner.ts";
import { HeldClaimsTable } from "../../../../src/host/placement/cluster/held-claims-table.ts";
import { TurnClock } from "../../../support/turn-clock.ts";

function openTable(maxClaims = 1_000) {
  const turns = new TurnClock();
  return { turns, table: new HeldClaimsTable({ maxClaims, batches: new BatchRunner(turns) }) };
}

function claimOf(key: string, { workerId = "W", number = 1, isAsleep = false } = {}): HeldClaim {
  return {
    ...{ agent: { type: "room", key }, workerId, session: 2 ** 40, revision: 2 ** 41 + number, isAsleep },
    ...{ epoch: { generation: 2 ** 33, era: 7, number }, usableUntilMs: 1.5, refreshMs: 0.5 },
  };
}

describe("the claims that a host of a cluster holds", () => {
  it("come back as they were entered, and as they were changed", () => {
    const { table } = openTable();
    table.set(claimOf("a"));
    expect(table.get({ type: "room", key: "a" })).toEqual(claimOf("a"));
    table.set(claimOf("a", { number: 9, workerId: "V" }));
    expect(table.get({ type: "room", key: "a" })).toEqual(claimOf("a", { number: 9, workerId: "V" }));
    expect([table.size, table.countOf("W"), table.countOf("V"), table.newestNumber]).toEqual([1, 0, 1, 9]);
    table.delete({ type: "room", key: "a" });
    expect([table.get({ type: "room", key: "a" }), table.size]).toEqual([undefined, 0]);
  });

  it("count for nothing at once when their worker's session is over, however many they are", () => {
    const { table, turns } = openTable(100_000);
    for (let at = 0; at < 2_000; at += 1) table.set(claimOf(String(at), { number: at + 1, isAsleep: at % 2 === 0 }));
    table.set(claimOf("other", { workerId: "V" }));
    table.deleteOf("W");
    expect([table.get({ type: "room", key: "7" }), table.countOf("W"), [...table.of("W")].length]).toEqual([
      undefined,
      0,
      0,
    ]);
    expect(table.size).toBeGreaterThan(1);
    for (let left = 10; left > 0; left -= 1) turns.turn();
    expect(table.size).toBe(1);
  });

  it("give way to new ones while their agents sleep, the longest sleeper first", () => {
    const { table } = openTable(4);
    for (const key of ["a", "b"]) table.set(claimOf(key, { isAsleep: true }));
    table.set(claimOf("c"));
    expect(table.hasRoomFor({ type: "room", key: "d" })).toBe(true);
    table.set(claimOf("d"));
    expect(table.get({ type: "room", key: "a" })).toBeUndefined();
    expect(table.get({ type: "room", key: "b" })?.isAsleep).toBe(true);
    expect(table.hasRoomFor({ type: "room", key: "e" })).toBe(true);
    table.set(claimOf("e"));
    expect([table.size, table.hasRoomFor({ type: "room", key: "f" })]).toEqual([3, false]);
  });

  it("with long keys take no more than their address's share of the bytes of all keys", () => {
    const { table } = openTable();
    const long = (at: number) => ({ type: "room", key: `${at}`.padEnd(1_000, "k") });
    let taken = 0;
    for (; taken < 500; taken += 1) {
      table.payFor(long(taken), "greedy address");
      if (!table.hasRoomFor(long(taken))) break;
      table.set(claimOf(long(taken).key));
    }
    // Two thirds of 64,000 bytes.
    expect(taken).toBe(43);
    table.payFor(long(500), "another address");
    expect(table.hasRoomFor(long(500))).toBe(true);
    for (let at = 0; at < taken; at += 1) table.delete(long(at));
    expect(table.size).toBe(0);
    for (let at = 0; at < 43; at += 1) expect(table.hasRoomFor(long(at))).toBe(true);
  });

  it("are all looked at in turn, and again from the first", () => {
    const { table } = openTable();
    for (const key of ["1", "2", "3"]) table.set(claimOf(key));
    const keys = (count: number) => table.next(count).map(({ agent: { key } }) => key);
    expect([keys(2), keys(2), keys(2)]).toEqual([["1", "2"], ["3"], ["1", "2"]]);
  });

  it("take at most 150 bytes each", () => {
    const { table } = openTable(2_000_000);
    const count = 2 * 65_536;
    for (let at = 0; at < count; at += 1) table.set(claimOf(String(at).padStart(36, "k"), { number: at + 1 }));
    expect(table.byteLength / count).toBeLessThanOrEqual(150);
  });
});

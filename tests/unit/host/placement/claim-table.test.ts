import { Buffer } from "node:buffer";
import { describe, expect, it, vi } from "vitest";
import { ClaimTable } from "../../../../src/host/placement/claim-table.ts";
import { seededRandom } from "../../../../src/testing/index.ts";

const entry = (key: string, given: { type?: string; workerId?: string; number?: number } = {}) => {
  return { type: "room", workerId: "W", party: "p", number: 1, ...given, key };
};

/** Pairs of which either may stand in a key: under FNV-1a all such keys had one hash, and most of them under any start value. */
const sameUnderFnv: readonly (readonly [string, string])[] = [
  ["005pvu", "00c3ea"],
  ["007pfs", "00ovja"],
  ["0033zx", "00epad"],
  ["0035zx", "00apcd"],
  ["0053zx", "00cpad"],
  ["0035zx", "00apcd"],
  ["0053zx", "00cpad"],
  ["0035zx", "00apcd"],
  ["0053zx", "00cpad"],
  ["0035zx", "00apcd"],
];

describe("the claim table", () => {
  it("compares few keys, though a caller chooses them so that a hash that everybody knows is the same", () => {
    const table = new ClaimTable();
    const compared = vi.spyOn(Buffer.prototype, "readUInt16LE");
    const count = 2 ** sameUnderFnv.length;
    for (let at = 0; at < count; at += 1) {
      const key = sameUnderFnv.map((pair, bit) => pair[(at >> bit) & 1]).join("");
      if (table.find("room", key) < 0) table.add(entry(key, { number: at + 1 }));
    }
    const reads = compared.mock.calls.length;
    compared.mockRestore();
    expect(table.size).toBe(count);
    // With one hash for all it was half a million.
    expect(reads).toBeLessThan(count);
  });

  it("finds what a map finds after 100,000 random changes", () => {
    const { next: random } = seededRandom(7);
    const pick = (count: number) => Math.floor(random() * count);
    const table = new ClaimTable();
    const model = new Map<string, { workerId: string; number: number }>();
    const parted: Iterator<number>[] = [];
    let number = 0;
    // Long keys fill slabs, so that they are rewritten; some texts have more bytes than characters.
    const keyOf = (at: number) => `${"k".repeat(at % 300)}é${at}`;
    for (let step = 0; step < 100_000; step += 1) {
      const key = keyOf(pick(12_000));
      const type = `type-${pick(3)}`;
      const name = `${type}/${key}`;
      const found = table.find(type, key);
      const isKnown = found >= 0 && !table.isParted(found);
      const known = model.get(name);
      const isSame = isKnown
        ? known?.workerId === table.workerOf(found) && known.number === table.numberOf(found)
        : known === undefined;
      if (!isSame) throw new Error(`step ${step}: the table and the map differ in ${name}`);
      switch (pick(40)) {
        case 0: {
          if (pick(50) > 0) break;
          const workerId = `worker-${pick(5)}`;
          parted.push(table.part(workerId)[Symbol.iterator]());
          for (const [id, held] of model) if (held.workerId === workerId) model.delete(id);
          break;
        }
        case 1: {
          const next = parted[0]?.next();
          if (next?.done) parted.shift();
          else if (next !== undefined) table.delete(next.value);
          break;
        }
        default: {
          if (isKnown && pick(3) > 0) break;
          if (found >= 0) table.delete(found);
          model.delete(name);
          if (isKnown) break;
          number += 1;
          const workerId = `worker-${pick(5)}`;
          table.add({ type, key, workerId, number, party: `party-${pick(4)}` });
          model.set(name, { workerId, number });
        }
      }
    }
    for (const rest of parted) for (let next = rest.next(); !next.done; next = rest.next()) table.delete(next.value);
    expect(table.size).toBe(model.size);
    for (const [name, held] of model) {
      const slash = name.indexOf("/");
      const [type, key] = [name.slice(0, slash), name.slice(slash + 1)];
      expect(table.read(table.find(type, key))).toMatchObject({ type, key, ...held });
    }
    const counts = [0, 1, 2, 3, 4].map((at) => table.countOf(`worker-${at}`));
    expect(counts.reduce((sum, count) => sum + count)).toBe(model.size);
  });

  it("takes at most 100 bytes for a claim with a key of 36 characters", () => {
    const table = new ClaimTable();
    const count = 300_000;
    for (let at = 0; at < count; at += 1) table.add(entry(at.toString(16).padStart(36, "0"), { number: at + 1 }));
    expect(table.size).toBe(count);
    expect(table.byteLength / count).toBeLessThanOrEqual(100);
  });

  it("gives the memory of keys back that are gone", () => {
    const table = new ClaimTable();
    const long = "x".repeat(1_000);
    for (let at = 0; at < 10_000; at += 1) table.add(entry(`${long}${at}`));
    const full = table.byteLength;
    // Of each slab one key in ten stays.
    for (let at = 0; at < 10_000; at += 1) if (at % 10 > 0) table.delete(table.find("room", `${long}${at}`));
    for (let at = 0; at < 2_000; at += 1) table.delete(table.add(entry(`short ${at}`)));
    expect(full - table.byteLength).toBeGreaterThan(7_000_000);
    for (let at = 0; at < 10_000; at += 10) expect(table.find("room", `${long}${at}`)).toBeGreaterThanOrEqual(0);
  });

  it("parts a worker from its claims at once, and a worker of the same id has none of them", () => {
    const table = new ClaimTable();
    for (let at = 0; at < 100; at += 1) table.add(entry(`k${at}`));
    const rest = table.part("W");
    expect([table.isParted(table.find("room", "k7")), table.countOf("W")]).toEqual([true, 0]);
    table.add(entry("new"));
    expect([table.isParted(table.find("room", "new")), table.countOf("W")]).toEqual([false, 1]);
    for (const gone of rest) table.delete(gone);
    expect([table.size, table.find("room", "k7")]).toEqual([1, -1]);
  });

  it("knows no key that is longer than its bound", () => {
    const table = new ClaimTable();
    table.add(entry("k".repeat(1_024)));
    expect(table.find("room", "k".repeat(1_025))).toBe(-1);
  });
});

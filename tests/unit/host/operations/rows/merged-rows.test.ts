import fc from "fast-check";
import { expect, test } from "vitest";
import { mergeRows, placeAt, type RowPlaces } from "../../../../../src/host/operations/rows/merged-rows.ts";
import type { RowPlace } from "../../../../../src/host/operations/rows/row-list.ts";

interface Row {
  readonly place: RowPlace;
  readonly age: number;
}

const byName = {
  order: "names",
  placeOf: (row: Row) => row.place,
  isBefore: (row: Row, other: Row) => row.place < other.place,
} as const;
const byAge = {
  order: "numbers",
  placeOf: (row: Row) => row.place,
  isBefore: (row: Row, other: Row) => row.age > other.age,
} as const;

/** Reads all pages. Each host tells as many rows as it wants, and at least one. */
function readAll(
  list: typeof byName | typeof byAge,
  hosts: ReadonlyMap<string, readonly Row[]>,
  { limit, told }: { readonly limit: number; readonly told: number },
) {
  const all: { readonly hostId: string; readonly row: Row }[] = [];
  for (let places: RowPlaces | undefined, page = 0; page === 0 || places !== undefined; page += 1) {
    expect(page).toBeLessThan(200);
    const asked = [...hosts].map(([hostId, rows]) => {
      const after = placeAt(places, hostId);
      const later = rows.filter(({ place }) => after === undefined || place > after);
      const most = Math.min(limit, told);
      return { hostId, rows: later.slice(0, most), hasMore: later.length > most };
    });
    const merged = mergeRows<Row>(list, asked, { places, limit });
    all.push(...merged.rows);
    places = merged.next;
  }
  return all;
}

const hostsOf = (rowOf: (number: number) => Row) =>
  fc
    .dictionary(fc.constantFrom("a", "b", "c", "__proto__"), fc.uniqueArray(fc.nat({ max: 30 })), { minKeys: 1 })
    .map(
      (lists) => new Map(Object.entries(lists).map(([id, own]) => [id, own.sort((x, y) => x - y).map(rowOf)] as const)),
    );
const sizes = fc.record({ limit: fc.integer({ min: 1, max: 8 }), told: fc.integer({ min: 1, max: 8 }) });

test("pages of the lists of all hosts have each row once, in the order of names", () => {
  const rowOf = (number: number): Row => ({ place: String(number).padStart(3, "0"), age: 0 });
  fc.assert(
    fc.property(hostsOf(rowOf), sizes, (hosts, size) => {
      const all = readAll(byName, hosts, size);
      const placesOf = all.map(({ row }) => row.place);
      expect(placesOf).toEqual([...placesOf].sort());
      for (const [id, rows] of hosts)
        expect(all.flatMap(({ hostId, row }) => (hostId === id ? row : []))).toEqual(rows);
    }),
  );
});

test("pages by numbers of each host have each row once, the rows of a host in their order", () => {
  // In the order of their numbers, rows have any age.
  const rowOf = (number: number): Row => ({ place: number, age: (number * 7) % 5 });
  fc.assert(
    fc.property(hostsOf(rowOf), sizes, (hosts, size) => {
      const all = readAll(byAge, hosts, size);
      for (const [id, rows] of hosts)
        expect(all.flatMap(({ hostId, row }) => (hostId === id ? row : []))).toEqual(rows);
    }),
  );
});

test("the oldest rows come first, though a host has told less than it has", () => {
  const hosts = new Map([
    ["a", [9, 7, 5].map((age, at) => ({ place: at + 1, age }))],
    ["b", [8, 6, 4].map((age, at) => ({ place: at + 1, age }))],
  ]);
  const all = readAll(byAge, hosts, { limit: 3, told: 1 });
  expect(all.map(({ row }) => row.age)).toEqual([9, 8, 7, 6, 5, 4]);
});

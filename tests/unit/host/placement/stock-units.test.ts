import { expect, it } from "vitest";
import { StockUnits } from "../../../../src/host/placement/stock-units.ts";
import { TypeTable } from "../../../../src/host/placement/type-table.ts";

/** Stock workers that serve shared types, at a host whose option names them. */
function openUnits() {
  const splits: string[][] = [];
  const owners: TypeTable = new TypeTable({ sharedTypes: ["*"], onSharedChange: (type) => units.changed(type) });
  let walks = 0;
  const units: StockUnits = new StockUnits({
    sharedTypes: () => {
      walks += 1;
      return owners.sharedTypes();
    },
    onSplit: ({ types }) => splits.push(types.map(({ name }) => name)),
    maxBytes: 1_000_000,
  });
  const unitOf = (name: string) => {
    const type = owners.shared(name);
    return type && units.unitOf(type);
  };
  return { owners, unitOf, splits, walks: () => walks };
}

/** CPU time in microseconds that the host takes to find its units again, for each registration. */
function costPerRegistration(workers: number): number {
  const { owners, unitOf } = openUnits();
  const perWorker = 4;
  for (let worker = 0; worker < workers; worker += 1) {
    for (let at = 0; at < perWorker; at += 1) owners.claim(`t${(worker * 7919 + at) % (workers * 2)}`, `W${worker}`);
  }
  const rounds = 5;
  const before = process.cpuUsage();
  for (let round = 0; round < rounds; round += 1) {
    owners.claim("t0", `another ${round}`);
    unitOf("t0");
  }
  return process.cpuUsage(before).user / rounds / workers / perWorker;
}

it("stock workers with thousands of shared types cost about as much for each registration as a few", () => {
  costPerRegistration(500);
  // Were it quadratic, it would be ten times as much.
  expect(costPerRegistration(5_000)).toBeLessThan(8 * costPerRegistration(500));
});

it("types that stock workers serve together are one unit, of which those that serve all have the agents", () => {
  const { owners, unitOf, splits } = openUnits();
  for (const type of ["a", "b", "c"]) owners.claim(type, "all");
  owners.claim("a", "one");
  owners.claim("d", "other");
  expect(unitOf("c")).toMatchObject({ name: "a", types: [{ name: "a" }, { name: "b" }, { name: "c" }] });
  expect(unitOf("b")).toBe(unitOf("a"));
  expect([...(unitOf("a")?.clients ?? [])]).toEqual(["all"]);
  expect([...(unitOf("d")?.clients ?? [])]).toEqual(["other"]);
  expect(splits).toEqual([]);
});

it("a unit that no worker serves as a whole is told once, and again when it is split anew", () => {
  const { owners, unitOf, splits } = openUnits();
  owners.claim("a", "W");
  owners.claim("b", "W");
  owners.claim("b", "V");
  owners.claim("c", "V");
  unitOf("a");
  owners.claim("d", "X");
  unitOf("a");
  expect(splits).toEqual([["a", "b", "c"]]);
  owners.claim("c", "W");
  unitOf("a");
  owners.release("c", "W");
  unitOf("a");
  expect(splits).toEqual([
    ["a", "b", "c"],
    ["a", "b", "c"],
  ]);
});

it("workers that know of shared types come and go without a search for units", () => {
  const { owners, unitOf, walks } = openUnits();
  const sharing = { placement: undefined, requires: {} };
  owners.claim("a", "W", { sharing });
  expect(unitOf("a")).toBeUndefined();
  const before = walks();
  for (const worker of ["V", "X"]) {
    owners.claim("a", worker, { sharing });
    unitOf("a");
    owners.release("a", worker);
    unitOf("a");
  }
  expect(walks()).toBe(before);
  owners.claim("a", "stock");
  expect([...(unitOf("a")?.clients ?? [])]).toEqual(["W", "stock"]);
});

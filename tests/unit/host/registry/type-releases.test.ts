import { expect, test } from "vitest";
import { createHostCounters } from "../../../../src/host/counters.ts";
import { limits } from "../../../../src/host/limits.ts";
import { TypeTable } from "../../../../src/host/placement/type-table.ts";
import { openRegistry } from "./open-registry.ts";

const { batchSize } = limits;
const types = Array.from({ length: 10 * batchSize }, (_, index) => `type-${index}`);
const last = types.at(-1) ?? "";

/** A host's registry in which one worker serves thousands of agent types. */
function withManyTypes() {
  const owners = new TypeTable();
  const counters = createHostCounters();
  const { registry, clock } = openRegistry({ owners, counters });
  registry.clientArrived("old");
  for (const type of types) registry.registerType("old", type);
  clock.turns();
  return { registry, clock, owners };
}

test("a worker with thousands of agent types leaves in turns, so that others' messages go on meanwhile", () => {
  const { registry, clock, owners } = withManyTypes();
  registry.clientLeft("old", 0);
  expect(owners.size).toBeGreaterThanOrEqual(types.length - batchSize);
  for (let before = owners.size; clock.turn(); before = owners.size) {
    expect(before - owners.size).toBeLessThanOrEqual(batchSize);
  }
  expect(owners.size).toBe(0);
});

test("the successor of a worker that leaves with thousands of agent types has each of them at once", () => {
  const { registry, clock, owners } = withManyTypes();
  registry.clientArrived("new");
  registry.clientLeaving("old");
  for (const type of [last, ...types]) expect(registry.registerType("new", type)).toEqual({ at: "registered" });
  clock.turns();
  expect(types.filter((type) => owners.locate(type) !== "new")).toEqual([]);
});

test("a worker that comes back at once keeps the agent types that it registers before the old ones are given up", () => {
  const { registry, clock, owners } = withManyTypes();
  registry.clientLeft("old", 0);
  registry.clientArrived("old");
  registry.registerType("old", last);
  registry.clientArrived("other");
  expect(registry.registerType("other", last)).toEqual({ at: "taken", by: "old" });
  clock.turns();
  expect([...owners.types()]).toEqual([last]);
});

test("a worker that comes back within its grace finds thousands of agent types again", () => {
  const { registry, clock, owners } = withManyTypes();
  registry.clientLeft("old", 60_000);
  registry.clientArrived("old");
  clock.turns();
  expect(owners.size).toBe(types.length);
  expect(registry.declaredBy("old").types.size).toBe(types.length);
});

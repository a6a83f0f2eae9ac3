import { describe, expect, test, vi } from "vitest";
import { limits } from "../../../../src/host/limits.ts";
import { type HostOccurrence, Observers } from "../../../../src/host/observer.ts";
import { SharedOwners } from "../../../../src/host/placement/shared-owners.ts";
import { TypeTable } from "../../../../src/host/placement/type-table.ts";
import type { Registry } from "../../../../src/host/registry/registry.ts";
import { exact, prefix } from "../../../support/raw-worker.ts";
import { hasSettled, openRegistry } from "./open-registry.ts";

const { batchSize } = limits;
const indexes = Array.from({ length: 4 * batchSize }, (_, index) => index);

/** The agent types that an event of this topic passes over, those without owners too. */
function passed(registry: Registry, topicType: string): readonly string[] {
  const types: string[] = [];
  registry.topics.visit(topicType, (agentType) => types.push(agentType));
  return types;
}

function subscribe(registry: Registry, clientId: string, agentType: string): void {
  for (const index of indexes) {
    registry.addSubscription(clientId, { id: `${clientId}-${index}`, pattern: exact(`t${index}`, agentType) });
  }
}

test("the successor of a worker that leaves adds the same subscriptions at once, however many there were", () => {
  const { registry } = openRegistry();
  const add = (clientId: string, index: number) =>
    registry.addSubscription(clientId, { id: `${clientId}-${index}`, pattern: exact(`t${index}`, "a") });
  for (const clientId of ["old", "new"]) registry.clientArrived(clientId);
  registry.registerType("old", "a");
  for (const index of indexes) add("old", index);
  registry.clientLeaving("old");
  expect(registry.registerType("new", "a")).toEqual({ at: "registered" });
  expect(new Set(indexes.map((index) => add("new", index).at))).toEqual(new Set(["added"]));
  expect(registry.subscriptionCount).toBe(indexes.length);
  expect(registry.subscriptions()).toHaveLength(indexes.length);
});

describe("an event", () => {
  test("passes over no agent type that no client serves", () => {
    const { registry, clock } = openRegistry();
    registry.clientArrived("X");
    for (const index of indexes)
      registry.addSubscription("X", { id: `${index}`, pattern: prefix("", `nobody-${index}`) });
    expect(passed(registry, "t")).toEqual([]);
    registry.registerType("X", "nobody-7");
    expect(passed(registry, "t")).toEqual(["nobody-7"]);
    registry.clientLeft("X", 0);
    clock.turns();
    expect(passed(registry, "t")).toEqual([]);
  });

  test("goes by all subscriptions of a type that has just got its first owner, once that is registered", async () => {
    const { registry, clock } = openRegistry();
    for (const clientId of ["early", "owner"]) registry.clientArrived(clientId);
    subscribe(registry, "early", "a");
    expect(registry.registerType("owner", "a")).toEqual({ at: "registered" });
    const routed = registry.routed("a");
    expect(await hasSettled(routed)).toBe(false);
    expect(passed(registry, `t${indexes.at(-1)}`)).toEqual([]);
    // The turn that registered it has done one batch of them.
    expect(clock.turns()).toBeGreaterThanOrEqual(indexes.length / batchSize - 1);
    expect(await hasSettled(routed)).toBe(true);
    expect(registry.routed("a")).toBeUndefined();
    for (const index of indexes) expect(passed(registry, `t${index}`)).toEqual(["a"]);
  });

  test("goes by a subscription that comes while its type gets its first owner", () => {
    const { registry } = openRegistry();
    for (const clientId of ["early", "owner"]) registry.clientArrived(clientId);
    subscribe(registry, "early", "a");
    registry.registerType("owner", "a");
    registry.addSubscription("owner", { id: "late", pattern: exact("late", "a") });
    expect(passed(registry, "late")).toEqual(["a"]);
  });

  test("goes by the present owners, though the type lost and got them while the index followed", async () => {
    const { registry, clock } = openRegistry();
    for (const clientId of ["early", "owner", "heir"]) registry.clientArrived(clientId);
    subscribe(registry, "early", "a");
    registry.registerType("owner", "a");
    clock.turn();
    registry.clientLeaving("owner");
    clock.turn();
    registry.registerType("heir", "a");
    const routed = registry.routed("a");
    clock.turns();
    expect(await hasSettled(routed)).toBe(true);
    for (const index of indexes) expect(passed(registry, `t${index}`)).toEqual(["a"]);
    registry.clientLeaving("heir");
    clock.turns();
    for (const index of indexes) expect(passed(registry, `t${index}`)).toEqual([]);
  });

  test("goes by a shared type's subscriptions until its last owner leaves", () => {
    const { registry, clock } = openRegistry({ owners: new SharedOwners(() => 0), allowMultipleOwners: true });
    for (const clientId of ["one", "two", "watcher"]) registry.clientArrived(clientId);
    registry.addSubscription("watcher", { id: "S", pattern: exact("t", "a") });
    for (const clientId of ["one", "two"]) registry.registerType(clientId, "a");
    registry.clientLeft("one", 0);
    clock.turns();
    expect(passed(registry, "t")).toEqual(["a"]);
    registry.clientLeft("two", 0);
    clock.turns();
    expect(passed(registry, "t")).toEqual([]);
  });
});

describe("a client that leaves and comes back", () => {
  test("costs one turn no more than a batch, however often it does and however much it has", () => {
    const seen: HostOccurrence[] = [];
    const observers = new Observers();
    observers.add((occurrence) => void seen.push(occurrence));
    const { registry, clock } = openRegistry({ observers });
    registry.clientArrived("W");
    for (const index of indexes) registry.registerType("W", `type-${index}`);
    subscribe(registry, "W", "type-0");
    clock.turns();
    seen.length = 0;
    for (let count = 0; count < 50; count += 1) {
      registry.clientLeft("W", 500);
      registry.clientArrived("W");
    }
    expect(seen.length).toBeLessThanOrEqual(batchSize);
    let before = seen.length;
    while (clock.turn()) {
      expect(seen.length - before).toBeLessThanOrEqual(batchSize);
      before = seen.length;
    }
    expect(registry.declaredBy("W")).toMatchObject({ subscriptionCount: indexes.length });
    expect(registry.declaredBy("W").types.size).toBe(indexes.length);
    expect(
      registry
        .subscriptions()
        .map(({ id }) => id)
        .sort(),
    ).toEqual(indexes.map((index) => `W-${index}`).sort());
    expect(registry.reservedCount).toBe(0);
  });

  test("is told to wait with a removal until it has its registrations again", async () => {
    const { registry, clock } = openRegistry();
    registry.clientArrived("W");
    subscribe(registry, "W", "a");
    registry.clientLeft("W", 500);
    clock.turns();
    registry.clientArrived("W");
    const restored = registry.restored("W");
    expect(await hasSettled(restored)).toBe(false);
    clock.turns();
    expect(await hasSettled(restored)).toBe(true);
    expect(registry.restored("W")).toBeUndefined();
    expect(registry.removeSubscription("W", `W-${indexes.at(-1)}`)).toBe("removed");
  });
});

describe("a client that answers no calls", () => {
  const deaf = () => openRegistry({ owners: new TypeTable({ isDeaf: (clientId) => clientId === "deaf" }) });

  test("loses a type's subscriptions at once, and the host sweeps them in batches", () => {
    const { registry, clock } = deaf();
    for (const clientId of ["deaf", "heir"]) registry.clientArrived(clientId);
    for (const type of ["a", "b"]) registry.registerType("deaf", type);
    subscribe(registry, "deaf", "a");
    registry.addSubscription("deaf", { id: "kept", pattern: exact("t", "b") });
    clock.turns();
    registry.registerType("heir", "a");
    expect(registry.subscriptions()).toEqual([{ id: "kept", pattern: exact("t", "b") }]);
    subscribe(registry, "heir", "a");
    expect(registry.declaredBy("heir").subscriptionCount).toBe(indexes.length);
    // The turn in which it lost them has swept one batch.
    expect(registry.declaredBy("deaf").subscriptionCount).toBe(indexes.length + 1 - batchSize);
    clock.turns();
    expect(registry.declaredBy("deaf").subscriptionCount).toBe(1);
    expect(registry.subscriptionCount).toBe(indexes.length + 1);
  });

  test("gets nothing of a lost type back that the host was restoring", () => {
    const { registry, clock } = deaf();
    for (const clientId of ["deaf", "heir"]) registry.clientArrived(clientId);
    registry.registerType("deaf", "a");
    subscribe(registry, "deaf", "a");
    registry.clientLeft("deaf", 500);
    clock.turns();
    registry.clientArrived("deaf");
    registry.registerType("heir", "a");
    registry.clientLeft("deaf", 500);
    registry.clientArrived("deaf");
    clock.turns();
    expect(registry.subscriptions()).toEqual([]);
    expect(registry.subscriptionCount).toBe(0);
  });
});

test("a stock worker with thousands of types that the host shares registers each as fast as the first", () => {
  const owners = new TypeTable({ sharedTypes: ["room-*"] });
  const { registry } = openRegistry({ owners });
  registry.clientArrived("stock");
  registry.registerType("stock", "room-first");
  const lookups = vi.spyOn(owners, "shared");
  for (let at = 0; at < 2_000; at += 1) registry.registerType("stock", `room-${at}`);
  expect(lookups.mock.calls.length).toBeLessThanOrEqual(4 * 2_000);
});

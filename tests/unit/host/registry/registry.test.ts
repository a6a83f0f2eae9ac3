import { expect, test } from "vitest";
import { createHostCounters } from "../../../../src/host/counters.ts";
import { SoleOwner } from "../../../../src/host/placement/sole-owner.ts";
import { Registry } from "../../../../src/host/registry/registry.ts";
import { ManualClock } from "../../../../src/testing/index.ts";
import { exact } from "../../../support/raw-worker.ts";

function openRegistry(): Registry {
  return new Registry({
    owners: new SoleOwner(),
    counters: createHostCounters(),
    clock: new ManualClock(),
    logger: undefined,
    observer: undefined,
    orphanMs: 30_000,
    ownOnly: true,
    allowMultipleOwners: false,
    bounds: {
      maxSessions: 10,
      maxTypesPerClient: 10,
      maxSubscriptionsPerClient: 10_000,
      maxSubscriptions: 10_000,
    },
    pendingOf: () => [],
    giveWay: () => undefined,
  });
}

test("the successor of a worker that leaves adds the same subscriptions at once, however many there were", () => {
  const registry = openRegistry();
  const add = (clientId: string, index: number) =>
    registry.addSubscription(clientId, { id: `${clientId}-${index}`, pattern: exact(`t${index}`, "a") });
  for (const clientId of ["old", "new"]) registry.clientArrived(clientId, undefined);
  registry.registerType("old", "a");
  const indexes = Array.from({ length: 2_000 }, (_, index) => index);
  for (const index of indexes) add("old", index);
  registry.clientLeaving("old");
  expect(registry.registerType("new", "a")).toEqual({ at: "registered" });
  expect(new Set(indexes.map((index) => add("new", index).at))).toEqual(new Set(["added"]));
  expect(registry.subscriptionCount).toBe(2_000);
  registry.close();
  expect(registry.subscriptions()).toHaveLength(2_000);
});

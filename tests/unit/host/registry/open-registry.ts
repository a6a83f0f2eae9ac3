import { BatchRunner } from "../../../../src/host/batch-runner.ts";
import { createHostCounters } from "../../../../src/host/counters.ts";
import { Observers } from "../../../../src/host/observer.ts";
import { TypeTable } from "../../../../src/host/placement/type-table.ts";
import { Registry, type RegistryParts } from "../../../../src/host/registry/registry.ts";
import { createUncountedAccount } from "../../../../src/transport/internal.ts";
import { TurnClock } from "../../../support/turn-clock.ts";

/** A registry on a clock whose turns the test counts. */
export function openRegistry(options: Partial<RegistryParts> = {}): {
  readonly registry: Registry;
  readonly clock: TurnClock;
} {
  const clock = new TurnClock();
  const registry = new Registry({
    owners: new TypeTable(),
    counters: createHostCounters(),
    clock,
    batches: new BatchRunner(clock),
    logger: undefined,
    observers: new Observers(),
    orphanMs: 30_000,
    ownOnly: true,
    isEnforced: false,
    allowMultipleOwners: false,
    bounds: {
      maxSessions: 10,
      maxTypesPerClient: 10_000,
      maxSubscriptionsPerClient: 100_000,
      maxSubscriptions: 100_000,
    },
    pendingOf: () => [],
    giveWay: () => undefined,
    openListAccount: createUncountedAccount,
    ...options,
  });
  return { registry, clock };
}

/** Whether a promise has settled, without waiting for it. */
export async function hasSettled(promise: Promise<unknown> | undefined): Promise<boolean> {
  if (promise === undefined) return true;
  const mark = {};
  return (await Promise.race([promise, Promise.resolve(mark)])) !== mark;
}
